/** What a decision about a backup looks at. Pure. */
import type { Backup } from '../../api/backup.ts';
import type { BackupStore } from '../../api/backup-store.ts';
import { isTrue } from '../../api/conditions.ts';
import type { Restore } from '../../api/restore.ts';
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
  /** The Restore that waits for this backup of what it is about to replace. */
  readonly served?: Restore;
  /** Other backups that are not over, want the same database and came before this one: as the local copies see them. */
  readonly earlier: readonly BackupFacts[];
  /** Nodes that the app's pods run on; asked for only where the spec wants them recorded. */
  readonly nodes: readonly string[];
  /** The last drill of it that ended well; looked for where the backup is over. */
  readonly drill?: Restore;
  readonly settings: Settings;
}

export function isTerminal(backup: Backup): boolean {
  return isTrue(backup.status?.conditions, 'Complete') || isTrue(backup.status?.conditions, 'Failed');
}
