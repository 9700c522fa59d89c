/**
 * Archives that retention removes while a restore wants them. Pure.
 *
 * Once a restore is in our local copy, no new Job of retention is told to remove what it wants (see wanted.ts). One that
 * was told so in that instant is seen by its Job: before the pin, before the plan, and once more before the app is touched.
 */
import type { BackupStore } from '../../api/backup-store.ts';
import type { Restore } from '../../api/restore.ts';
import type { Failure } from '../../lib/errors.ts';
import { storeAccessOf } from '../access.ts';
import { isOver, type RunFacts, resultOf } from '../run-facts.ts';

/** `under way`: the store may still refuse, and the archive stay. */
export interface Removal {
  readonly removal: 'under way' | 'done';
  readonly failure: Failure;
}

/** Backups whose archive is gone, or going, though they are there: a Job removes the objects first. */
export function uidsBeingRemoved(prunes: readonly RunFacts[]): ReadonlySet<string> {
  return new Set(prunes.flatMap((run) => archivesOf(run).map(({ backupUid }) => backupUid)));
}

/** `folder`: of the archive, within its bucket. */
export function removalOf(folder: string, prunes: readonly RunFacts[]): Removal | undefined {
  const runs = prunes.filter((run) => archivesOf(run).some((archive) => archive.folder === folder));
  const done = runs.find(isOver);
  if (done !== undefined) return { removal: 'done', failure: removed(`Retention has removed the archive ${folder}.`) };
  const [run] = runs;
  if (run === undefined) return undefined;
  return { removal: 'under way', failure: removed(`Job ${run.name} of retention is removing the archive ${folder}.`) };
}

/**
 * Of an archive that is named by its path. The same path may be in a bucket that is a copy, and what was removed before the
 * Restore was made may have been brought back from a version of it: whether it is there, the look at the store tells.
 */
export function prunesAt(
  store: BackupStore | undefined,
  { metadata }: Restore,
  prunes: readonly RunFacts[],
): RunFacts[] {
  const at = store === undefined ? undefined : storeAccessOf(store);
  const made = new Date(metadata.creationTimestamp);
  return prunes.filter((run) => {
    if (isOver(run) && run.ended !== undefined && run.ended < made) return false;
    if (at === undefined || run.task?.command !== 'prune') return true;
    const { endpoint, bucket } = run.task.store;
    return endpoint === at.endpoint && bucket === at.bucket;
  });
}

/** What a Job was told to remove, until it is over; then what it says is gone. */
function archivesOf(run: RunFacts) {
  if (run.task?.command !== 'prune') return [];
  const { archives } = run.task;
  if (!isOver(run)) return archives;
  return (resultOf(run, 'prune')?.removed ?? []).flatMap((index) => archives[index] ?? []);
}

function removed(message: string): Failure {
  return {
    reason: 'ArchiveRemoved',
    message,
    hint: 'Restore another backup, in a new Restore: kubectl holdfast list.',
  };
}
