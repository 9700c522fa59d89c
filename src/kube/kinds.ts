import type { Backup } from '../api/backup.ts';
import type { BackupKey } from '../api/backup-key.ts';
import type { BackupSchedule } from '../api/backup-schedule.ts';
import type { BackupStore } from '../api/backup-store.ts';
import type { CronJob, Job, KubeObject, Lease, NewObject, Pod, ScalableWorkload } from '../api/kubernetes.ts';
import { API_VERSION } from '../api/meta.ts';
import type { Restore } from '../api/restore.ts';

/** A kind that the API server serves, and the type of its objects. */
export interface KindRef<T extends KubeObject = KubeObject> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** Never set; carries the type. */
  readonly object?: T;
}

function kind<T extends KubeObject>(apiVersion: string, name: string, plural: string): KindRef<T> {
  return { apiVersion, kind: name, plural };
}

/** Every kind that the operator ever names. `rights.ts` says which verbs. */
export const KIND = {
  backupStore: kind<BackupStore>(API_VERSION, 'BackupStore', 'backupstores'),
  backupKey: kind<BackupKey>(API_VERSION, 'BackupKey', 'backupkeys'),
  backupSchedule: kind<BackupSchedule>(API_VERSION, 'BackupSchedule', 'backupschedules'),
  backup: kind<Backup>(API_VERSION, 'Backup', 'backups'),
  restore: kind<Restore>(API_VERSION, 'Restore', 'restores'),
  job: kind<Job>('batch/v1', 'Job', 'jobs'),
  pod: kind<Pod>('v1', 'Pod', 'pods'),
  lease: kind<Lease>('coordination.k8s.io/v1', 'Lease', 'leases'),
  event: kind('events.k8s.io/v1', 'Event', 'events'),
  deployment: kind<ScalableWorkload>('apps/v1', 'Deployment', 'deployments'),
  statefulSet: kind<ScalableWorkload>('apps/v1', 'StatefulSet', 'statefulsets'),
  cronJob: kind<CronJob>('batch/v1', 'CronJob', 'cronjobs'),
} as const;

/** The API group of a kind; empty for the core group. */
export function groupOf(kindRef: KindRef): string {
  const slash = kindRef.apiVersion.indexOf('/');
  return slash < 0 ? '' : kindRef.apiVersion.slice(0, slash);
}

/** The kind of an object that is about to be made. Throws on one that we have no business making. */
export function kindOf(object: Pick<NewObject, 'apiVersion' | 'kind'>): KindRef {
  const found = Object.values(KIND).find((k) => k.apiVersion === object.apiVersion && k.kind === object.kind);
  if (found === undefined) throw new Error(`no kind ${object.apiVersion} ${object.kind} in src/kube/kinds.ts`);
  return found;
}
