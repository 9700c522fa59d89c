/** The archive of a restore, looked at before anything is touched. What cannot heal is a refusal; what may heal throws. */
import type { RestoreBase } from '../api/task.ts';
import { HEADER_LIMIT, openHeader } from '../archive/age/header.ts';
import type { Contents } from '../archive/contents.ts';
import type { Manifest, ManifestSegment } from '../archive/manifest.ts';
import { recipientsOf } from '../keys/identities.ts';
import { fingerprint } from '../keys/recipients.ts';
import { type Failure, HoldfastError } from '../lib/errors.ts';
import type { Storage } from '../storage/storage.ts';
import { partsProblem, segmentProblem } from './parts.ts';
import { CONTENTS_LIMIT, openContents } from './sealed-contents.ts';
import { sameDigest, sizedDigestOf } from './stages/meter.ts';
import { findManifest } from './stored-manifest.ts';

/** What is asked of an archive does not depend on where it goes. */
export type Examined = Pick<RestoreBase, 'archive' | 'identity'>;

export interface Archive {
  readonly manifest: Manifest;
  readonly contents: Contents;
}

export interface Examination {
  /** Absent when something about the archive is refused. */
  readonly archive?: Archive;
  /** Absent when it is missing, or is not the one that was recorded. */
  readonly manifest?: Manifest;
  readonly refusals: readonly Failure[];
}

export async function examine(
  task: Examined,
  storage: Storage,
  readIdentities: () => Promise<readonly string[]>,
): Promise<Examination> {
  const refusals: Failure[] = [];
  const manifest = await orRefusal(refusals, () => readManifest(task, storage));
  if (manifest === undefined) return { refusals };
  await lookAtSegments(refusals, task, storage, manifest);
  const identities = await orRefusal(refusals, readIdentities);
  if (identities === undefined) return { manifest, refusals };
  await orRefusal(refusals, () => tryKey(task, storage, manifest, identities));
  const contents = await orRefusal(refusals, () => readContents(task, storage, manifest, identities));
  if (contents === undefined || refusals.length > 0) return { manifest, refusals: withoutRepeats(refusals) };
  return { archive: { manifest, contents }, manifest, refusals };
}

/** Runs `work`; a failure that cannot heal becomes a refusal, all others are thrown on. */
export async function orRefusal<T>(refusals: Failure[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (caught) {
    if (!(caught instanceof HoldfastError) || caught.outlook === 'retry' || caught.reason === 'Interrupted')
      throw caught;
    refusals.push(caught.toFailure());
    return undefined;
  }
}

async function readManifest({ archive }: Examined, storage: Storage): Promise<Manifest> {
  const found = await findManifest(storage, archive.folder);
  if (found === undefined) {
    throw refused(
      'ManifestNotFound',
      `there is no archive at ${archive.folder}: it has no manifest.json`,
      'Restore from another backup.',
    );
  }
  if (found.digest !== archive.manifestDigest) {
    throw refused(
      'ManifestMismatch',
      `manifest.json is not the one of this backup: it is ${found.digest}, and ${archive.manifestDigest} was recorded`,
      'Somebody replaced it. See who writes to the bucket, and restore from another backup.',
    );
  }
  const { cluster, namespace } = found.manifest;
  if (cluster !== archive.cluster || namespace !== archive.namespace) {
    throw refused(
      'ArchiveForeign',
      `the archive is of ${namespace} in the cluster ${cluster}, not of ${archive.namespace} in ${archive.cluster}`,
      `Restore it in the namespace and the cluster whose it is; or here all the same, by from.archive with the path ${archive.folder} and force: [Foreign].`,
    );
  }
  return found.manifest;
}

async function lookAtSegments(
  refusals: Failure[],
  task: Examined,
  storage: Storage,
  manifest: Manifest,
): Promise<void> {
  for (const segment of manifest.segments) {
    await orRefusal(refusals, async () => {
      const problem = segmentProblem(segment);
      if (problem !== undefined) throw incomplete(problem);
      const found = await storage.stat(`${task.archive.folder}${segment.key}`, segment.versionId);
      if (found === undefined) throw incomplete(`${segment.key} is gone`);
      if (found.size !== segment.size)
        throw incomplete(`${segment.key} has ${found.size} bytes instead of ${segment.size}`);
    });
  }
}

async function tryKey(
  task: Examined,
  storage: Storage,
  manifest: Manifest,
  identities: readonly string[],
): Promise<void> {
  const first = manifest.segments.find(({ header }) => header !== undefined);
  if (first === undefined) throw incomplete('no segment has a header');
  const header = await readHead(storage, `${task.archive.folder}${first.key}`, first);
  await openHeader(header, identities).catch(async (caught: unknown) => {
    if (caught instanceof HoldfastError && caught.reason === 'KeyMismatch')
      throw await wrongKey(task, manifest, identities);
    throw caught;
  });
}

/** The header of a segment; the rest of it is not downloaded. */
async function readHead(storage: Storage, key: string, segment: ManifestSegment): Promise<Uint8Array> {
  const size = Math.min(segment.header?.size ?? 0, HEADER_LIMIT);
  const { versionId } = segment;
  const chunks: Uint8Array[] = [];
  let have = 0;
  for await (const chunk of await storage.get(key, versionId === undefined ? {} : { versionId })) {
    chunks.push(chunk);
    have += chunk.length;
    if (have >= size) break;
  }
  const header = Buffer.concat(chunks).subarray(0, size);
  if (segment.header === undefined || !sameDigest(sizedDigestOf(header), segment.header)) {
    throw incomplete(`the header of ${segment.key} is not the one that the manifest names`);
  }
  return header;
}

async function readContents(
  task: Examined,
  storage: Storage,
  manifest: Manifest,
  identities: readonly string[],
): Promise<Contents> {
  const { contents } = manifest;
  if (contents.size > CONTENTS_LIMIT) throw incomplete(`${contents.key} is too large to be ours`);
  const sealed = await storage
    .getSmall(`${task.archive.folder}${contents.key}`, contents.size, contents.versionId)
    .catch((caught: unknown) => {
      throw caught instanceof HoldfastError && caught.reason === 'ObjectNotFound'
        ? incomplete(`${contents.key} is gone`)
        : caught;
    });
  if (!sameDigest(sizedDigestOf(sealed), contents)) {
    throw incomplete(`${contents.key} is not the one that the manifest names`);
  }
  const opened = await openContents(sealed, identities);
  const problem = partsProblem(manifest, opened);
  if (problem !== undefined) throw incomplete(problem);
  return opened;
}

/** A wrong key fails at the header and again at the contents; it is said once, by the one that knows more. */
function withoutRepeats(refusals: readonly Failure[]): Failure[] {
  return refusals.filter(
    (refusal, index) =>
      refusals.findIndex(({ reason }) => reason === refusal.reason) === index || refusal.reason !== 'KeyMismatch',
  );
}

async function wrongKey(task: Examined, manifest: Manifest, identities: readonly string[]): Promise<HoldfastError> {
  const mine = (await recipientsOf(identities)).map(fingerprint);
  return refused(
    'KeyMismatch',
    `the identity in the Secret ${task.identity.secret} (${mine.join(', ')}) does not open the archive, which was encrypted to ${manifest.recipients.join(', ')}`,
    'Put the private key of one of these recipients into a Secret and name it in spec.identity of a new Restore.',
  );
}

function incomplete(problem: string): HoldfastError {
  return refused(
    'ArchiveIncomplete',
    `the archive is not whole: ${problem}`,
    'See what removed or changed it (a lifecycle rule, a person), and restore from another backup.',
  );
}

function refused(reason: string, message: string, hint: string): HoldfastError {
  return new HoldfastError(reason, message, { hint });
}
