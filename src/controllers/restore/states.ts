import type { Backup } from '../../api/backup.ts';
import type { BackupStore } from '../../api/backup-store.ts';
import { isTrue } from '../../api/conditions.ts';
import { FINALIZERS } from '../../api/names.ts';
import type { PlanResult } from '../../api/task.ts';
import { formatDuration, parseDuration } from '../../lib/duration.ts';
import type { Failure } from '../../lib/errors.ts';
import { claimOn } from '../leases.ts';
import { holdUpOf, isOver, newest, type RunFacts, resultOf } from '../run-facts.ts';
import { databaseBusy, retryTime } from '../waiting.ts';
import {
  holderOf,
  isTerminal,
  loadRunOf,
  type Outcome,
  type RestoreFacts,
  startDeadlineOf,
  takenWorkloads,
} from './facts.ts';

/**
 * Where a restore stands, read from the world each time. In order:
 *
 * - `over`: a terminal condition stands. Only the previous database may still have to go.
 * - `leaving`: somebody deleted the Restore before it was over. The app comes back first.
 * - `unguarded`: our finalizer is missing; without it a deletion would leave the app at zero.
 * - `ending`: the outcome is written down. The app comes back, scratch goes, locks go, the terminal status is written.
 * - `concluded`: the outcome has just become known and is not written down yet.
 * - `waiting`: something is missing. Nothing was touched; way out: the start deadline.
 * - `unpinned`: all is there; the archive has to be pinned.
 * - `plannable`: pinned; a look at archive and target can start.
 * - `planning`: the look is under way; way out: its Job's deadline.
 * - `quiescing`: the plan has no refusal; workloads go to zero. Way out: `scaleDown.timeout`.
 * - `loadable`: no pod is left. Loading can start.
 * - `loading`: the runner loads, checks and swaps. Way out: the fence.
 */
export type RestoreState =
  | { readonly state: 'over' }
  | { readonly state: 'leaving' }
  | { readonly state: 'unguarded' }
  | { readonly state: 'ending'; readonly outcome: Outcome }
  | { readonly state: 'concluded'; readonly outcome: Conclusion }
  | { readonly state: 'waiting'; readonly failure: Failure; readonly retryAt?: Date }
  | { readonly state: 'unpinned'; readonly backup: Backup; readonly digest: string; readonly path: string }
  | { readonly state: 'plannable'; readonly needs: Needs }
  | { readonly state: 'planning'; readonly run: RunFacts }
  | { readonly state: 'quiescing'; readonly plan: PlanResult; readonly waitsFor: readonly string[] }
  | { readonly state: 'loadable'; readonly plan: PlanResult; readonly needs: Needs }
  | { readonly state: 'loading'; readonly run: RunFacts; readonly plan?: PlanResult };

/** An outcome before it is written down. */
export type Conclusion = Omit<Outcome, 'time'>;

/** What a Job of a restore is made from. */
export interface Needs {
  readonly backup: Backup;
  readonly store: BackupStore;
  readonly identity: { readonly secret: string; readonly key: string };
}

export function stateOf(facts: RestoreFacts, now: Date): RestoreState {
  const { restore } = facts;
  if (isTerminal(restore)) return { state: 'over' };
  if (restore.metadata.deletionTimestamp !== undefined) return { state: 'leaving' };
  if (restore.metadata.finalizers?.includes(FINALIZERS.restore) !== true) return { state: 'unguarded' };
  if (restore.status?.outcome !== undefined) return { state: 'ending', outcome: restore.status.outcome };
  const load = loadRunOf(facts);
  if (load !== undefined) return loadState(facts, load, now);
  const plan = newest(facts.runs, 'plan');
  if (plan !== undefined && plan.state !== 'gone') return planState(facts, plan, now);
  return beforePlan(facts, undefined, now);
}

function loadState(facts: RestoreFacts, load: RunFacts, now: Date): RestoreState {
  const plan = resultOf(newest(facts.runs, 'plan'), 'plan');
  if (isOver(load)) return { state: 'concluded', outcome: outcomeOfLoad(load) };
  const contested = contestedBy(facts);
  if (contested !== undefined) return { state: 'concluded', outcome: { result: 'Unknown', failure: contested } };
  const stuck = notStarted(load, now);
  if (stuck !== undefined) return { state: 'concluded', outcome: { result: 'Unknown', failure: stuck } };
  const fenceEnd = load.task?.command === 'restore' ? Date.parse(load.task.notAfter) : undefined;
  if (fenceEnd !== undefined && now.getTime() > fenceEnd)
    return { state: 'concluded', outcome: { result: 'Unknown', failure: TOO_LATE } };
  return { state: 'loading', run: load, ...(plan === undefined ? {} : { plan }) };
}

/** The app is down meanwhile, so a pod that does not start (a quota, an image, no node) is not waited for until the fence. */
const LOAD_START_PATIENCE = 300_000;

function notStarted(load: RunFacts, now: Date): Failure | undefined {
  if (load.started || load.job === undefined || now.getTime() < load.job.created.getTime() + LOAD_START_PATIENCE)
    return undefined;
  return (
    holdUpOf(load, now) ?? {
      reason: 'PodNotStarted',
      message: "The runner's pod was not started.",
      hint: `kubectl describe job ${load.name} tells why.`,
    }
  );
}

const TOO_LATE: Failure = {
  reason: 'DeadlineExceeded',
  message:
    'The runner did not end in time: it loads too slowly, or its node is cut off. It may not touch the live database any more.',
  hint: 'Give spec.activeDeadlineSeconds a larger value in a new Restore, or look at the node of its pod.',
};

/** The runner reports a failure only when nothing went live; without a report both are possible. */
function outcomeOfLoad(load: RunFacts): Conclusion {
  if (resultOf(load, 'restore') !== undefined) return { result: 'Restored' };
  const { report } = load;
  if (report !== undefined && !report.ok) return { result: 'Failed', failure: report.failure };
  const failure = load.trouble ?? {
    reason: 'RunnerLost',
    message: 'The runner ended without a report.',
    hint: 'kubectl describe job tells more.',
  };
  return { result: 'Unknown', failure };
}

/** Nothing may be loaded or swapped while a pod of the app runs, whoever started it. */
function contestedBy(facts: RestoreFacts): Failure | undefined {
  const awake = facts.workloads.filter(
    ({ found }) => found !== undefined && (found.replicas > 0 || found.pods.length > 0),
  );
  if (awake.length === 0) return undefined;
  const names = awake.map(({ workload }) => `${workload.kind} ${workload.name}`).join(', ');
  return {
    reason: 'ScaleContested',
    message: `Somebody scaled ${names} up while the database was being restored.`,
    hint: 'Find out who writes its replica count (kubectl get -o yaml --show-managed-fields: an autoscaler, Argo CD, Flux, a person), pause that and make a new Restore.',
  };
}

function planState(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState {
  if (!isOver(run)) return startIsOverdue(facts, run, now) ?? { state: 'planning', run };
  const plan = resultOf(run, 'plan');
  if (plan === undefined) return planFailed(facts, run, now);
  if (plan.alreadyRestored) return { state: 'concluded', outcome: { result: 'AlreadyRestored' } };
  const refusal = refusalOf(plan);
  if (refusal !== undefined) return { state: 'concluded', outcome: { result: 'Failed', failure: refusal } };
  return quiesceState(facts, plan, now);
}

function planFailed(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState {
  const { report } = run;
  if (report !== undefined && !report.ok && !report.retry)
    return { state: 'concluded', outcome: { result: 'Failed', failure: report.failure } };
  return beforePlan(facts, run, now);
}

/** Several refusals are one failure: the person mends them all at once. */
function refusalOf(plan: PlanResult): Failure | undefined {
  const [first, ...rest] = plan.refusals;
  if (first === undefined) return undefined;
  if (rest.length === 0) return first;
  const all = [first, ...rest];
  return {
    reason: first.reason,
    message: all.map(({ reason, message }) => `${reason}: ${message}`).join(' '),
    hint: all.flatMap(({ hint }) => (hint === undefined ? [] : [hint])).join(' '),
  };
}

function startIsOverdue(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState | undefined {
  if (run.started || now < startDeadlineOf(facts)) return undefined;
  const failure = holdUpOf(run, now) ?? {
    reason: 'PodNotStarted',
    message: "The runner's pod was not started.",
    hint: `kubectl describe job ${run.name} tells why.`,
  };
  return { state: 'concluded', outcome: { result: 'Failed', failure } };
}

/** Why no look at the archive starts, in order; the first that applies wins. */
const RULES: readonly ((facts: RestoreFacts) => Failure | undefined)[] = [
  // Whatever was chosen must be a whole archive…
  backupIsMissing,
  backupIsNotComplete,
  backupIsAnother,
  storeIsMissing,
  // …that somebody here can open…
  identityIsMissing,
  // …and one database is worked on by one operation at a time.
  databaseIsBusy,
];

/** Nothing of the world was touched so far. */
function beforePlan(facts: RestoreFacts, last: RunFacts | undefined, now: Date): RestoreState {
  const { backup, store, identity, restore } = facts;
  const failed = backupHasFailed(facts);
  if (failed !== undefined) return { state: 'concluded', outcome: { result: 'Failed', failure: failed } };
  const missing = RULES.map((rule) => rule(facts)).find((found) => found !== undefined);
  const lastFailure = last === undefined ? undefined : failureOf(last);
  const wait = missing ?? lastFailure;
  if (wait !== undefined && now >= startDeadlineOf(facts))
    return { state: 'concluded', outcome: { result: 'Failed', failure: deadlineExceeded(facts, wait) } };
  if (missing !== undefined || backup === undefined || store === undefined || 'wait' in identity) {
    return { state: 'waiting', failure: missing ?? { reason: 'NotReady', message: 'something is missing' } };
  }
  const retryAt = retryTime(restore.status?.startTime, last);
  if (lastFailure !== undefined && retryAt !== undefined && now < retryAt)
    return { state: 'waiting', failure: lastFailure, retryAt };
  if (restore.status?.resolved === undefined) return unpinned(backup);
  return { state: 'plannable', needs: { backup, store, identity } };
}

function unpinned(backup: Backup): RestoreState {
  const { location = '', manifestDigest = '' } = backup.status ?? {};
  return { state: 'unpinned', backup, digest: manifestDigest, path: location.replace(/^s3:\/\/[^/]+\//, '') };
}

function failureOf(run: RunFacts): Failure {
  if (run.report !== undefined && !run.report.ok) return run.report.failure;
  return (
    run.trouble ?? {
      reason: 'RunnerLost',
      message: 'The Job that looks at the archive ended without a report.',
      hint: 'kubectl describe job tells more.',
    }
  );
}

function backupIsMissing({ backup, restore }: RestoreFacts): Failure | undefined {
  if (backup !== undefined) return undefined;
  const { name } = restore.spec.from.backupRef;
  return {
    reason: 'BackupNotFound',
    message: `There is no Backup "${name}" in this namespace.`,
    hint: 'kubectl get backups lists them.',
  };
}

function backupIsNotComplete({ backup }: RestoreFacts): Failure | undefined {
  if (backup === undefined || isTrue(backup.status?.conditions, 'Complete')) return undefined;
  return {
    reason: 'BackupNotComplete',
    message: `Backup "${backup.metadata.name}" is not Complete yet: only a verified archive is restored.`,
  };
}

function backupHasFailed({ backup }: RestoreFacts): Failure | undefined {
  if (backup === undefined || !isTrue(backup.status?.conditions, 'Failed')) return undefined;
  return {
    reason: 'BackupFailed',
    message: `Backup "${backup.metadata.name}" failed, so there is nothing to restore.`,
    hint: 'Name another one: kubectl get backups.',
  };
}

/** A retry never chooses anew: a Backup re-created under the same name is another one. */
function backupIsAnother({ backup, restore }: RestoreFacts): Failure | undefined {
  const resolved = restore.status?.resolved;
  if (backup === undefined || resolved === undefined || backup.metadata.uid === resolved.backupUID) return undefined;
  return {
    reason: 'BackupReplaced',
    message: `Backup "${backup.metadata.name}" was made anew since this Restore chose it.`,
    hint: 'Make a new Restore.',
  };
}

function storeIsMissing({ store, backup }: RestoreFacts): Failure | undefined {
  if (store !== undefined) return undefined;
  return {
    reason: 'StoreNotFound',
    message: `There is no BackupStore "${backup?.spec.storeRef.name}" in this namespace, where the archive is.`,
    hint: 'Make it anew with the same bucket and prefix.',
  };
}

function identityIsMissing({ identity }: RestoreFacts): Failure | undefined {
  return 'wait' in identity ? identity.wait : undefined;
}

function databaseIsBusy({ lock, restore }: RestoreFacts): Failure | undefined {
  return databaseBusy(lock, holderOf(restore));
}

function deadlineExceeded(facts: RestoreFacts, wait: Failure): Failure {
  const span = formatDuration(parseDuration(facts.restore.spec.startDeadline ?? '1h'));
  return { ...wait, message: `Could not start within ${span}. ${wait.message}` };
}

function quiesceState(facts: RestoreFacts, plan: PlanResult, now: Date): RestoreState {
  const { backup, store, identity } = facts;
  const blocked = quiesceIsBlocked(facts);
  if (blocked !== undefined) return { state: 'concluded', outcome: { result: 'Failed', failure: blocked } };
  const waitsFor = awake(facts);
  if (waitsFor.length > 0) return quiesceIsOverdue(facts, waitsFor, now) ?? { state: 'quiescing', plan, waitsFor };
  if (backup === undefined || store === undefined || 'wait' in identity) {
    const failure: Failure = {
      reason: 'SourceGone',
      message: 'The Backup, its BackupStore or its key was removed while the app was being scaled down.',
      hint: 'Make them anew, then a new Restore.',
    };
    return { state: 'concluded', outcome: { result: 'Failed', failure } };
  }
  return { state: 'loadable', plan, needs: { backup, store, identity } };
}

function quiesceIsBlocked(facts: RestoreFacts): Failure | undefined {
  for (const { workload, found, lease } of facts.workloads) {
    const what = `${workload.kind} "${workload.name}"`;
    if (found === undefined)
      return {
        reason: 'WorkloadNotFound',
        message: `There is no ${what} in this namespace.`,
        hint: 'Correct spec.scaleDown.workloads in a new Restore.',
      };
    const claim = claimOn(lease, holderOf(facts.restore));
    if (claim.claim === 'busy')
      return {
        reason: 'WorkloadBusy',
        message: `${claim.lease.holder} holds ${what} at zero.`,
        hint: 'Make a new Restore when that one is over.',
      };
  }
  return undefined;
}

/** What is not at rest yet, in words. */
function awake(facts: RestoreFacts): string[] {
  const taken = takenWorkloads(facts);
  return facts.workloads.flatMap((each) => {
    const what = `${each.workload.kind} ${each.workload.name}`;
    if (!taken.some(({ workload }) => workload === each.workload)) return [`${what} to be scaled down`];
    if ((each.found?.replicas ?? 0) > 0) return [`${what} to be scaled down`];
    return each.found?.pods.map((pod) => `pod ${pod} to be gone`) ?? [];
  });
}

function quiesceIsOverdue(facts: RestoreFacts, waitsFor: readonly string[], now: Date): RestoreState | undefined {
  const since = takenWorkloads(facts).flatMap(({ lease }) => lease.acquired?.getTime() ?? []);
  const timeout = parseDuration(facts.restore.spec.scaleDown?.timeout ?? '10m');
  if (since.length === 0 || now.getTime() < Math.min(...since) + timeout) return undefined;
  const failure: Failure = {
    reason: 'QuiesceTimeout',
    message: `The app was not at rest within ${formatDuration(timeout)}: still waiting for ${waitsFor.join(', ')}.`,
    hint: 'A pod that does not end holds on to a finalizer, a long grace period or a lost node: kubectl describe pod tells. Or give scaleDown.timeout more.',
  };
  return { state: 'concluded', outcome: { result: 'Failed', failure } };
}
