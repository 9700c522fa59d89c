/** What a backup was made for, and whether it may work under the lock of somebody else. Pure. */
import type { Backup, BackupStatus } from '../../api/backup.ts';
import { isTrue } from '../../api/conditions.ts';
import { ANNOTATIONS, LABELS } from '../../api/names.ts';
import type { Restore } from '../../api/restore.ts';
import type { Holder, LeaseFacts } from '../leases.ts';

/** For people: anybody may write an annotation, and nothing is decided by it. */
export function originOf({ metadata }: Backup): NonNullable<BackupStatus['origin']> {
  const { annotations = {} } = metadata;
  if (annotations[ANNOTATIONS.restore] !== undefined) return 'Safety';
  return annotations[ANNOTATIONS.schedule] === undefined ? 'Manual' : 'Scheduled';
}

/**
 * Whether this is the safety backup of a Restore that waits for it. Labels and names anybody may write; what the status of
 * the Restore says only the operator does, and it names the Backup by its UID.
 */
export function serves({ metadata }: Backup, restore: Restore | undefined): restore is Restore {
  if (restore === undefined || restore.metadata.namespace !== metadata.namespace) return false;
  if (restore.metadata.deletionTimestamp !== undefined || isOver(restore)) return false;
  return restore.status?.outcome === undefined && restore.status?.safetyBackup?.uid === metadata.uid;
}

/** Whether the lock is that of the Restore that the backup serves: a lock to work under, not one to wait for. */
export function isUnder(lock: LeaseFacts | undefined, served: Restore | undefined): boolean {
  return lock !== undefined && lock.holderUid === served?.metadata.uid;
}

/** The Restore that made it needs a moment to note its UID: not worth a word that would alarm people. */
const NOTING = 3_000;

/** Whether it will be seen to serve the holder of the lock in a moment, if what its label says is true. */
export function isToBeNoted(
  { metadata }: Backup,
  lock: LeaseFacts | undefined,
  served: Restore | undefined,
  now: Date,
): boolean {
  if (served !== undefined || lock === undefined || metadata.labels?.[LABELS.owner] !== lock.holderUid) return false;
  return now.getTime() < Date.parse(metadata.creationTimestamp) + NOTING;
}

/** By whom the lock may be held for this backup to work. */
export function workingHolder(own: Holder, lock: LeaseFacts | undefined, served: Restore | undefined): Holder {
  return served !== undefined && isUnder(lock, served) ? { kind: 'Restore', metadata: served.metadata } : own;
}

function isOver({ status }: Restore): boolean {
  return isTrue(status?.conditions, 'Complete') || isTrue(status?.conditions, 'Failed');
}
