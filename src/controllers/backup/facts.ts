/** What a decision about a backup looks at. Pure. */
import type { Backup } from '../../api/backup.ts';
import type { BackupStore } from '../../api/backup-store.ts';
import { isTrue } from '../../api/conditions.ts';
import type { LeaseFacts } from '../leases.ts';
import type { RunFacts } from '../run-facts.ts';
import type { Settings } from '../settings.ts';
import type { KeyChoice } from './key.ts';

export interface BackupFacts {
  readonly backup: Backup;
  readonly store: BackupStore | undefined;
  readonly key: KeyChoice;
  /** Attempts, oldest first. */
  readonly runs: readonly RunFacts[];
  readonly lock: LeaseFacts | undefined;
  /** Other backups that are not over, want the same database and came before this one: as the local copies see them. */
  readonly earlier: readonly BackupFacts[];
  readonly settings: Settings;
}

export function isTerminal(backup: Backup): boolean {
  return isTrue(backup.status?.conditions, 'Complete') || isTrue(backup.status?.conditions, 'Failed');
}
