/** What a decision about a restore looks at, and the small questions that one asks of it. Pure. */
import type { Backup } from '../../api/backup.ts';
import type { BackupStore } from '../../api/backup-store.ts';
import { isTrue } from '../../api/conditions.ts';
import { FORMER_LOAD, jobName } from '../../api/names.ts';
import type { Restore, RestoreStatus, Workload } from '../../api/restore.ts';
import { isAtLive, type ServerAccess } from '../../api/task.ts';
import { groupOf } from '../../api/workloads.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { Failure } from '../../lib/errors.ts';
import type { Holder, LeaseFacts } from '../leases.ts';
import { newest, type RunFacts } from '../run-facts.ts';
import type { Settings } from '../settings.ts';
import type { SourceChoice } from './source.ts';
import type { WorkloadFacts } from './workload-facts.ts';

export type IdentityChoice = { readonly secret: string; readonly key: string } | { readonly wait: Failure };

export interface RestoreFacts {
  readonly restore: Restore;
  readonly source: SourceChoice;
  /** The Backup that was chosen, while it is there. */
  readonly backup: Backup | undefined;
  /** Where it goes; undefined as long as nothing tells, or where nothing tells any more. */
  readonly target: ServerAccess | undefined;
  /** The Backup that has the name of this restore's safety backup, whoever made it. */
  readonly safetyBackup?: Backup;
  /** The store that the archive is in. */
  readonly store: BackupStore | undefined;
  readonly identity: IdentityChoice;
  readonly runs: readonly RunFacts[];
  /** The lock of the target database; undefined also where the target is not known yet. */
  readonly lock: LeaseFacts | undefined;
  readonly workloads: readonly WorkloadFacts[];
  /** Of a restore that is over: those that name it in `from.previousOf`. */
  readonly undoers?: readonly Restore[];
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

/** What works on the target while the app is down, in the order of the work. */
const LATE = ['load', 'check', 'swap'] as const;

/** The run that loads. A second attempt is of one that could not begin; what was lost with its Job begins anew under the same name. */
export function loadRunOf({ runs }: RestoreFacts): RunFacts | undefined {
  return newest(runs, 'load');
}

/** The newest run of each kind that works on the target. */
export function lateRunsOf({ runs }: RestoreFacts): readonly RunFacts[] {
  return LATE.flatMap((purpose) => newest(runs, purpose) ?? []);
}

/** Of the newest Job that works on the target. */
export function lateJobName(facts: RestoreFacts): string {
  return lateRunsOf(facts).at(-1)?.name ?? jobName(facts.restore.metadata, 'load', 1);
}

/** Whether a name is that of a Job that works on the target, whichever attempt. */
export function isLateJob(restore: Restore, name: string | undefined): boolean {
  return isJobOf(restore, [...LATE, FORMER_LOAD], name);
}

function isJobOf(restore: Restore, purposes: readonly string[], name: string | undefined): boolean {
  const attempt = Number(name?.split('-').at(-1));
  return purposes.some((purpose) => name === jobName(restore.metadata, purpose, attempt));
}

/** Whether the load joins what is live. A plan that was not written down yet is in the load's task. */
export function isInPlace({ restore, runs }: Pick<RestoreFacts, 'restore' | 'runs'>): boolean {
  const task = newest(runs, 'load')?.task;
  return restore.status?.plan?.inPlace === true || (task !== undefined && isAtLive(task));
}

/** Whether the run that touches what is live was begun and has not told what it came to: then only the server knows. */
export function mayBeLive(facts: RestoreFacts): boolean {
  const { restore, runs } = facts;
  const touching = isInPlace(facts) ? 'load' : 'swap';
  const run = newest(runs, touching);
  return run === undefined
    ? isJobOf(restore, [touching, FORMER_LOAD], restore.status?.jobName)
    : run.report === undefined;
}

/** Whether loading was ever begun, as far as the world or our own note tells: a scratch database may be there. */
export function loadWasBegun(facts: RestoreFacts): boolean {
  return (
    lateRunsOf(facts).length > 0 ||
    newest(facts.runs, 'cleanup') !== undefined ||
    isLateJob(facts.restore, facts.restore.status?.jobName)
  );
}

/** The instant after which a run may not swap any more; undefined for one that never may. */
export function fenceOf({ task }: RunFacts): Date | undefined {
  return task !== undefined && 'notAfter' in task ? new Date(task.notAfter) : undefined;
}

/** The instant after which nothing that a run sent can be carried out any more. */
export function fenceEndOf(run: RunFacts): Date | undefined {
  const fence = fenceOf(run);
  return fence === undefined ? undefined : new Date(fence.getTime() + FENCE_MARGIN);
}

/** The workloads whose count this restore has taken. */
export function takenWorkloads({
  workloads,
  restore,
}: Pick<RestoreFacts, 'workloads' | 'restore'>): readonly (WorkloadFacts & { lease: LeaseFacts })[] {
  return workloads.filter(
    (found): found is WorkloadFacts & { lease: LeaseFacts } => found.lease?.holderUid === restore.metadata.uid,
  );
}

/** Whether the scratch database stays for a look: a check did not hold, as our own status has noted, and a person asked for it. */
export function keepsScratch({ spec, status, metadata }: Restore): boolean {
  const broken = status?.checks?.some(({ passed }) => !passed) === true;
  return broken && spec.keepScratch === true && metadata.deletionTimestamp === undefined;
}

export type ScaledWorkload = NonNullable<RestoreStatus['scaledWorkloads']>[number];

/** What our status remembers of a workload. An entry without a group is one that an earlier operator wrote. */
export function notedWorkload({ status }: Restore, workload: Workload): ScaledWorkload | undefined {
  return status?.scaledWorkloads?.find(
    ({ apiVersion, kind, name }) =>
      kind === workload.kind &&
      name === workload.name &&
      (apiVersion === undefined || groupOf({ apiVersion }) === groupOf(workload)),
  );
}
