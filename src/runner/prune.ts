import type { PruneResult, PruneTask } from '../api/task.ts';
import { manifestKey } from '../archive/layout.ts';
import { type Failure, HoldfastError, toHoldfastError } from '../lib/errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { RunnerContext } from './context.ts';
import { openStore } from './open-store.ts';
import { findManifest } from './stored-manifest.ts';

type Archive = PruneTask['archives'][number];

/**
 * Removes archives one after the other. The first that cannot be removed ends the run: what stands against one, a lock or
 * a missing right, most likely stands against all, and nothing is tried in a loop.
 */
export async function prune(task: PruneTask, context: RunnerContext): Promise<PruneResult> {
  using storage = await openStore(task.store, context);
  const removed: number[] = [];
  for (const [index, archive] of task.archives.entries()) {
    const failure = await removeArchive(storage, task, archive).then(
      () => undefined,
      (caught: unknown): Failure => toHoldfastError(caught).toFailure(),
    );
    if (failure !== undefined) {
      context.log.warn({ folder: archive.folder, failure }, 'an archive was not removed');
      return { removed, failure };
    }
    context.log.info({ folder: archive.folder }, 'an archive was removed');
    removed.push(index);
  }
  return { removed };
}

/**
 * The manifest goes first: killed in between, this leaves data without a manifest, which is no backup, and never a
 * manifest without its data. The next attempt finds no manifest and removes the rest.
 */
async function removeArchive(storage: Storage, task: PruneTask, archive: Archive): Promise<void> {
  const { folder } = archive;
  checkFolder(task, folder);
  const found = await findManifest(storage, folder);
  if (found === undefined) return removeRest(storage, folder);
  checkManifest(task, archive, found.digest, found.manifest);
  await storage.remove(manifestKey(folder), (await storage.stat(manifestKey(folder)))?.versionId);
  const named = [...found.manifest.segments, found.manifest.contents];
  for (const { key, versionId } of named) await storage.remove(`${folder}${key}`, versionId);
  await removeRest(storage, folder);
}

/** Parts of attempts that never got a manifest: the run is over, so nobody writes here any more. */
async function removeRest(storage: Storage, folder: string): Promise<void> {
  for await (const { key } of storage.list(folder)) {
    if (!key.startsWith(folder)) throw new HoldfastError('StoreRejected', `the list of ${folder} has ${key} in it`);
    await storage.remove(key, (await storage.stat(key))?.versionId);
  }
}

/** Whatever the task says, nothing outside the run folders of this cluster and namespace is ever deleted. */
function checkFolder({ store, cluster, namespace }: PruneTask, folder: string): void {
  const home = `${store.prefix === '' ? '' : `${store.prefix}/`}v1/${cluster}/${namespace}/`;
  const rest = folder.startsWith(home) ? folder.slice(home.length) : '';
  if (/^[^/]+\/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\/$/.test(rest) && !rest.startsWith('.')) return;
  throw new HoldfastError('FolderForeign', `${folder} is no folder of a run of ${cluster}/${namespace}`);
}

function checkManifest(
  { cluster, namespace }: PruneTask,
  archive: Archive,
  digest: string,
  manifest: { readonly cluster: string; readonly namespace: string; readonly backup: { readonly uid: string } },
): void {
  const ours =
    manifest.cluster === cluster && manifest.namespace === namespace && manifest.backup.uid === archive.backupUid;
  if (ours && digest === archive.manifestDigest) return;
  throw new HoldfastError(
    'ManifestMismatch',
    `the manifest in ${archive.folder} is not the one that the Backup names`,
    {
      hint: 'Somebody changed it. It is left alone: look at the folder, and remove it by hand if it is litter.',
    },
  );
}
