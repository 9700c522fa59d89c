/** What a decision about a restore looks at, and the small questions that one asks of it. Pure. */
import type { Backup } from '../../api/backup.ts';
import type { BackupStore } from '../../api/backup-store.ts';
import { isTrue } from '../../api/conditions.ts';
import { jobName } from '../../api/names.ts';
import type { Restore, RestoreStatus, Workload } from '../../api/restore.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { Failure } from '../../lib/errors.ts';
import type { Holder, LeaseFacts } from '../leases.ts';
import { newest, type RunFacts } from '../run-facts.ts';
import type { Settings } from '../settings.ts';

export type IdentityChoice = { readonly secret: string; readonly key: string } | { readonly wait: Failure };

/** A workload of `spec.scaleDown` as it is now, asked of the API server itself. */
export interface WorkloadFacts {
  readonly workload: Workload;
  /** Absent where there is no such workload. */
  readonly found?: {
    readonly uid: string;
    readonly resourceVersion: string;
    /** The count that is asked for. */
    readonly replicas: number;
    /** Pods that its selector finds and that have not come to an end; those being deleted count. */
    readonly pods: readonly string[];
  };
  readonly lease?: LeaseFacts;
}

export interface RestoreFacts {
  readonly restore: Restore;
  readonly backup: Backup | undefined;
  /** The store that the backup is in. */
  readonly store: BackupStore | undefined;
  readonly identity: IdentityChoice;
  readonly runs: readonly RunFacts[];
  /** The lock of the target database; undefined also where the target is not known yet. */
  readonly lock: LeaseFacts | undefined;
  readonly workloads: readonly WorkloadFacts[];
  readonly settings: Settings;
}

export type Outcome = NonNullable<RestoreStatus['outcome']>;

/**
 * For clocks that differ between nodes, and for a commit that was sent at the last instant. The runner's own time-outs
 * in the database are shorter than this.
 */
export const FENCE_MARGIN = 60_000;

export function isTerminal(restore: Restore): boolean {
  return isTrue(restore.status?.conditions, 'Complete') || isTrue(restore.status?.conditions, 'Failed');
}

export function holderOf(restore: Restore): Holder {
  return { kind: 'Restore', metadata: restore.metadata };
}

export function startDeadlineOf({ restore }: RestoreFacts): Date {
  return new Date(Date.parse(restore.metadata.creationTimestamp) + parseDuration(restore.spec.startDeadline ?? '1h'));
}

/** The run that loads; there is one attempt only, since a second one is safe under the same name. */
export function loadRunOf({ runs }: RestoreFacts): RunFacts | undefined {
  return newest(runs, 'restore');
}

export function loadJobName(restore: Restore): string {
  return jobName(restore.metadata, 'restore', 1);
}

/** Whether loading was ever begun, as far as the world or our own note tells: a scratch database may be there. */
export function loadWasBegun(facts: RestoreFacts): boolean {
  return (
    loadRunOf(facts) !== undefined ||
    newest(facts.runs, 'cleanup') !== undefined ||
    facts.restore.status?.jobName === loadJobName(facts.restore)
  );
}

/** The instant after which the runner may not swap, and nothing that it sent can be carried out any more. */
export function fenceEndOf(run: RunFacts): Date | undefined {
  return run.task?.command === 'restore' ? new Date(Date.parse(run.task.notAfter) + FENCE_MARGIN) : undefined;
}

/** The workloads whose count this restore has taken. */
export function takenWorkloads({
  workloads,
  restore,
}: RestoreFacts): readonly (WorkloadFacts & { lease: LeaseFacts })[] {
  return workloads.filter(
    (found): found is WorkloadFacts & { lease: LeaseFacts } => found.lease?.holderUid === restore.metadata.uid,
  );
}
