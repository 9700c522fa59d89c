/** What a decision about a schedule looks at. Pure. */
import type { Backup } from '../../api/backup.ts';
import type { BackupSchedule } from '../../api/backup-schedule.ts';
import type { BackupStore } from '../../api/backup-store.ts';
import { isTrue } from '../../api/conditions.ts';
import type { Restore } from '../../api/restore.ts';
import type { RunFacts } from '../run-facts.ts';
import type { Settings } from '../settings.ts';

export interface BackupScheduleFacts {
  readonly schedule: BackupSchedule;
  /** The Backups that it made, oldest first. */
  readonly children: readonly Backup[];
  /** The drills that it made, oldest first. */
  readonly drills: readonly Restore[];
  /** Names of Backups that a Restore which is not over wants. */
  readonly wanted: ReadonlySet<string>;
  /** Stores of the namespace, by name. */
  readonly stores: ReadonlyMap<string, BackupStore>;
  /** Prunes, oldest first. */
  readonly runs: readonly RunFacts[];
  readonly settings: Settings;
}

export function isComplete(backup: Backup): boolean {
  return isTrue(backup.status?.conditions, 'Complete');
}

export function isFailed(backup: Backup): boolean {
  return isTrue(backup.status?.conditions, 'Failed');
}

export function isActive(backup: Backup): boolean {
  return !isComplete(backup) && !isFailed(backup);
}

export function timeOf(backup: Backup): Date {
  return new Date(backup.metadata.creationTimestamp);
}
