import type { CatalogResult, CatalogTask } from '../api/task.ts';
import { isInstance } from '../archive/contents.ts';
import { dataTimeOf, type Manifest } from '../archive/manifest.ts';
import { HoldfastError } from '../lib/errors.ts';
import { cut } from '../lib/text.ts';
import type { Storage } from '../storage/storage.ts';
import type { RunnerContext } from './context.ts';
import { examine } from './examine.ts';
import { openStoreBriskly } from './open-store.ts';
import { segmentProblem } from './parts.ts';
import { refusal } from './restore-ending.ts';
import { readIdentities } from './secrets.ts';
import { findManifest, type StoredManifest } from './stored-manifest.ts';

/** Names of a cluster, a namespace and a Backup have no other characters; what has is not ours, and nothing to show to anybody. */
const NAME = /^[-A-Za-z0-9_.]{1,253}$/;

/** What the archive in a folder is. Whose it is, and whether that will do, the operator judges. */
export async function catalog(task: CatalogTask, context: RunnerContext): Promise<CatalogResult> {
  using storage = await openStoreBriskly(task.store, context);
  const found = await findManifest(storage, task.folder);
  if (found === undefined) throw noArchive(task);
  const { manifest, digest } = found;
  refuseImpossible(manifest);
  const database = await databaseIn(task, context, storage, found);
  return {
    manifestDigest: digest,
    cluster: manifest.cluster,
    namespace: manifest.namespace,
    backup: { name: manifest.backup.name, uid: cut(manifest.backup.uid, 64) },
    dataTime: instantOf(dataTimeOf(manifest)),
    server: { engine: manifest.engine, version: cut(manifest.server.version, 256) },
    scope: manifest.scope,
    verification: { level: manifest.verification.level, time: instantOf(manifest.verification.time) },
    ...(database === undefined ? {} : { database }),
  };
}

/** Which takes a look at the whole of it: a key that does not fit, or a part that is gone, is told here already. */
async function databaseIn(
  { folder, identity }: CatalogTask,
  context: RunnerContext,
  storage: Storage,
  { manifest, digest }: StoredManifest,
): Promise<string | undefined> {
  if (identity === undefined) return undefined;
  const { cluster, namespace } = manifest;
  const asked = { archive: { folder, manifestDigest: digest, cluster, namespace }, identity };
  const { archive, refusals } = await examine(asked, storage, () => readIdentities(context.root, identity));
  if (archive === undefined) throw refusal(refusals);
  return isInstance(archive.contents) ? undefined : archive.contents.database;
}

function refuseImpossible(manifest: Manifest): void {
  const { cluster, namespace, backup } = manifest;
  if (![cluster, namespace, backup.name].every((name) => NAME.test(name))) throw invalid('its names are none');
  const problem = manifest.segments.map(segmentProblem).find((each) => each !== undefined);
  if (problem !== undefined) throw invalid(problem);
}

function instantOf(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw invalid(`"${cut(text, 40)}" is no time`);
  return time.toISOString();
}

function noArchive({ store, folder }: CatalogTask): HoldfastError {
  return new HoldfastError(
    'ManifestNotFound',
    `there is no archive at s3://${store.bucket}/${folder}: it has no manifest.json`,
    {
      hint: 'Name the folder that has one: status.location of a Backup is such a path, and listing the bucket shows them all.',
    },
  );
}

function invalid(problem: string): HoldfastError {
  return new HoldfastError('ManifestInvalid', `manifest.json is none of ours: ${problem}`, {
    hint: 'See who wrote to the folder of the archive.',
  });
}
