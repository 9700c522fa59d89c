import type { Backup } from '../api/backup.ts';
import type { BackupKey } from '../api/backup-key.ts';
import type { BackupSchedule } from '../api/backup-schedule.ts';
import type { BackupStore } from '../api/backup-store.ts';
import type { Job, Lease, Pod } from '../api/kubernetes.ts';
import type { Restore } from '../api/restore.ts';
import type { Store } from './store.ts';

/** Everything that the operator watches. Jobs, Pods and Leases: only those with the label `holdfast.dev/owner-uid`. */
export interface Stores {
  readonly backupStores: Store<BackupStore>;
  readonly backupKeys: Store<BackupKey>;
  readonly backupSchedules: Store<BackupSchedule>;
  readonly backups: Store<Backup>;
  readonly restores: Store<Restore>;
  readonly jobs: Store<Job>;
  readonly pods: Store<Pod>;
  readonly leases: Store<Lease>;
}
