import { standing } from '../../api/force.ts';
import { FINALIZERS } from '../../api/names.ts';
import { isDrill } from '../../api/restore.ts';
import type { PlanResult } from '../../api/task.ts';
import { formatDuration, parseDuration } from '../../lib/duration.ts';
import type { Failure } from '../../lib/errors.ts';
import { claimOn } from '../leases.ts';
import { isOver, newest, type RunFacts, resultOf, runnerLost } from '../run-facts.ts';
import { databaseBusy, retryTime } from '../waiting.ts';
import { contestFailure, workloadRefusals } from './contest.ts';
import { drillState } from './drill.ts';
import { holderOf, isTerminal, lateRunsOf, type RestoreFacts, startDeadlineOf, takenWorkloads } from './facts.ts';
import { jobIsRefused, lateState } from './late.ts';
import { checksInPlace, refusalOf, startIsOverdue } from './refusal.ts';
import type { Removal } from './removal.ts';
import { forcedSafety, safetyOf } from './safety.ts';
import { quiesceIsOverdue, waitsFor } from './scaling.ts';
import { asksForDatabase, type SourceChoice } from './source.ts';
import type { Needs, RestoreState } from './state.ts';

export function stateOf(facts: RestoreFacts, now: Date): RestoreState {
  const { restore } = facts;
  if (isTerminal(restore)) return { state: 'over' };
  if (restore.metadata.deletionTimestamp !== undefined) return { state: 'leaving' };
  if (isDrill(restore)) return drillState(facts, now, (last) => beforePlan(facts, last, now));
  if (restore.metadata.finalizers?.includes(FINALIZERS.restore) !== true) return { state: 'unguarded' };
  if (restore.status?.outcome !== undefined) return { state: 'ending', outcome: restore.status.outcome };
  const late = lateRunsOf(facts).at(-1);
  if (late !== undefined) return lateState(facts, late, now);
  const plan = newest(facts.runs, 'plan');
  if (plan !== undefined && plan.state !== 'gone') return planState(facts, plan, now);
  return beforePlan(facts, undefined, now);
}

function planState(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState {
  if (!isOver(run)) return startIsOverdue(facts, run, now) ?? { state: 'planning', run };
  const plan = resultOf(run, 'plan');
  if (plan === undefined) return planFailed(facts, run, now);
  const { spec } = facts.restore;
  if (plan.alreadyRestored) return { state: 'concluded', outcome: { result: 'AlreadyRestored' } };
  const refusal = refusalOf([
    ...standing(plan.refusals, spec.force),
    ...checksInPlace(spec, plan),
    ...refusedWorkloads(facts),
  ]);
  if (refusal !== undefined) return { state: 'concluded', outcome: { result: 'Failed', failure: refusal } };
  // Looked at until loading begins: see removal.ts.
  const removal = removalIn(facts);
  if (removal !== undefined) return { state: 'concluded', outcome: { result: 'Failed', failure: removal.failure } };
  if (spec.dryRun === true) return { state: 'concluded', outcome: { result: 'DryRun' } };
  return safetyState(facts, plan, run.ended ?? now, now) ?? quiesceState(facts, plan, now);
}

/** Undefined where nothing is left to save. */
function safetyState(facts: RestoreFacts, plan: PlanResult, planned: Date, now: Date): RestoreState | undefined {
  const found = safetyOf(facts, plan, planned, now);
  switch (found.safety) {
    case 'savable':
      return { state: 'savable', plan, backup: found.backup, until: found.until };
    case 'saving':
      return { state: 'saving', plan, backup: found.backup, until: found.until };
    case 'refused':
      return { state: 'concluded', outcome: { result: 'Failed', failure: found.failure } };
    case 'forced':
      return forcedSafety(facts) === undefined ? { state: 'unsaved', plan, refusal: found.refusal } : undefined;
    case 'needless':
    case 'saved':
      return undefined;
    default:
      return found satisfies never;
  }
}

function planFailed(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState {
  const { report } = run;
  if (report !== undefined && !report.ok && !report.retry)
    return { state: 'concluded', outcome: { result: 'Failed', failure: report.failure } };
  return beforePlan(facts, run, now);
}

/** Told with the plan, before the first of them is touched. */
function refusedWorkloads(facts: RestoreFacts): Failure[] {
  return takenWorkloads(facts).length > 0 ? [] : workloadRefusals(facts);
}

/** Why no look at the archive starts, in order; the first that applies wins. */
const RULES: readonly ((facts: RestoreFacts) => Failure | undefined)[] = [
  // The archive must be there…
  archiveIsLeaving,
  // …and within reach…
  storeIsMissing,
  // …of somebody who can open it…
  identityIsMissing,
  // …the target known…
  targetIsUnknown,
  // …and one database is worked on by one operation at a time.
  databaseIsBusy,
];

/** Of an undo, which needs no archive. A drop that is under way is waited for: it may fail, and the plan sees what is left. */
const UNDO_RULES: typeof RULES = [expiryIsUnderWay, targetIsUnknown, databaseIsBusy];

/** Nothing of the world was touched so far. What is chosen is pinned at once, so that nothing later is chosen in its place. */
function beforePlan(facts: RestoreFacts, last: RunFacts | undefined, now: Date): RestoreState {
  const { source } = facts;
  switch (source.choice) {
    case 'none':
      return { state: 'concluded', outcome: { result: 'Failed', failure: source.failure } };
    case 'wait':
      return waiting(facts, source.failure, now);
    case 'asking':
      return startIsOverdue(facts, source.run, now) ?? { state: 'asking', run: source.run };
    case 'ask':
      return beforeAsking(facts, source, now);
    case 'made':
      return { state: 'unpinned', pin: source.pin };
    case 'pinned':
      if (source.removal?.removal === 'done')
        return { state: 'concluded', outcome: { result: 'Failed', failure: source.removal.failure } };
      return isDrill(facts.restore) ? beforeDrill(facts, last, now) : pinnedState(facts, RULES, last, now);
    case 'kept':
      return pinnedState(facts, UNDO_RULES, last, now);
    default:
      return source satisfies never;
  }
}

function beforeAsking(facts: RestoreFacts, asked: SourceChoice & { choice: 'ask' }, now: Date): RestoreState {
  const { store, folder, last } = asked;
  const missing = asksForDatabase(facts.restore) ? identityIsMissing(facts) : undefined;
  if (missing !== undefined) return waiting(facts, missing, now);
  return beforeAttempt(facts, last, now) ?? { state: 'askable', store, folder, attempt: (last?.attempt ?? 0) + 1 };
}

function pinnedState(facts: RestoreFacts, rules: typeof RULES, last: RunFacts | undefined, now: Date): RestoreState {
  const missing = rules.map((rule) => rule(facts)).find((found) => found !== undefined);
  const needs = needsOf(facts);
  if (missing !== undefined || needs === undefined)
    return waiting(facts, missing ?? { reason: 'NotReady', message: 'something is missing' }, now);
  return beforeAttempt(facts, last, now) ?? { state: 'plannable', needs };
}

/** Without a target there is nothing to be found, and nothing to be locked. */
function beforeDrill(facts: RestoreFacts, last: RunFacts | undefined, now: Date): RestoreState {
  const { source, store, identity } = facts;
  const missing = archiveIsLeaving(facts) ?? storeIsMissing(facts) ?? identityIsMissing(facts);
  if (missing !== undefined || source.choice !== 'pinned' || store === undefined || 'wait' in identity)
    return waiting(facts, missing ?? { reason: 'NotReady', message: 'something is missing' }, now);
  return beforeAttempt(facts, last, now) ?? { state: 'examinable', needs: { source: source.source, store, identity } };
}

function waiting(facts: RestoreFacts, failure: Failure, now: Date): RestoreState {
  if (now < startDeadlineOf(facts)) return { state: 'waiting', failure };
  return { state: 'concluded', outcome: { result: 'Failed', failure: deadlineExceeded(facts, failure) } };
}

/** After an attempt that ended with nothing touched: whether it is too late for the next one, or too early. */
function beforeAttempt(facts: RestoreFacts, last: RunFacts | undefined, now: Date): RestoreState | undefined {
  if (last === undefined) return undefined;
  const failure = failureOf(last, facts.restore.metadata.namespace);
  const retryAt = retryTime(facts.restore.status?.startTime, last);
  if (now >= startDeadlineOf(facts)) return waiting(facts, failure, now);
  return retryAt !== undefined && now < retryAt ? { state: 'waiting', failure, retryAt } : undefined;
}

/** Undefined where something is missing. */
function needsOf({ source, store, target, identity }: RestoreFacts): Needs | undefined {
  if (source.choice === 'kept') return target === undefined ? undefined : { undone: source.undone, target };
  if (source.choice !== 'pinned' || store === undefined || target === undefined || 'wait' in identity) return undefined;
  return { source: source.source, store, target, identity };
}

function failureOf(run: RunFacts, namespace: string): Failure {
  if (run.report !== undefined && !run.report.ok) return run.report.failure;
  return runnerLost(run, namespace);
}

function removalIn({ source }: RestoreFacts): Removal | undefined {
  return source.choice === 'pinned' ? source.removal : undefined;
}

/** Waited for: the store may refuse, and then the archive stays. */
function archiveIsLeaving(facts: RestoreFacts): Failure | undefined {
  return removalIn(facts)?.failure;
}

function storeIsMissing({ store, source }: RestoreFacts): Failure | undefined {
  if (store !== undefined || source.choice !== 'pinned') return undefined;
  return {
    reason: 'StoreNotFound',
    message: `There is no BackupStore "${source.source.store}" in this namespace, where the archive is.`,
    hint: 'Make it anew with the same bucket and prefix.',
  };
}

/** A retry never chooses anew: a Backup re-created under the same name is another one. */
function targetIsUnknown({ target, source, backup, restore }: RestoreFacts): Failure | undefined {
  if (target !== undefined || source.choice !== 'pinned') return undefined;
  const name = restore.status?.resolved?.backup ?? backup?.metadata.name ?? '';
  if (source.source.replaced === true) {
    return {
      reason: 'BackupReplaced',
      message: `Backup "${name}" was made anew since this Restore chose it.`,
      hint: 'Make a new Restore.',
    };
  }
  return {
    reason: 'BackupNotFound',
    message: `Backup "${name}" was deleted since this Restore chose it, and nothing else says where its database is.`,
    hint: 'Make a new Restore from its archive: from.archive, with status.resolved.path of this one.',
  };
}

function expiryIsUnderWay({ source }: RestoreFacts): Failure | undefined {
  return source.choice === 'kept' ? source.expiring : undefined;
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
  const needs = needsOf(facts);
  if (needs === undefined) {
    const failure: Failure = {
      reason: 'SourceGone',
      message: 'The BackupStore of the archive or its key was removed after the plan, so nothing can be loaded.',
      hint: 'Make them anew, then a new Restore.',
    };
    return { state: 'concluded', outcome: { result: 'Failed', failure } };
  }
  // The last look before the app goes down: see undo.ts.
  const blocked = expiryIsUnderWay(facts) ?? quiesceIsBlocked(facts);
  if (blocked !== undefined) return { state: 'concluded', outcome: { result: 'Failed', failure: blocked } };
  const contested = contestFailure(facts);
  if (contested !== undefined) return { state: 'concluded', outcome: { result: 'Failed', failure: contested } };
  const waits = waitsFor(facts);
  if (waits.length > 0) return quiesceIsOverdue(facts, waits, now) ?? { state: 'quiescing', plan, waitsFor: waits };
  if ('undone' in needs)
    return jobIsRefused(facts, 'Swapping', now) ?? { state: 'swappable', loaded: needs, attempt: 1, plan };
  return jobIsRefused(facts, 'Loading', now) ?? { state: 'loadable', plan, needs };
}

function quiesceIsBlocked(facts: RestoreFacts): Failure | undefined {
  const [refused] = workloadRefusals(facts);
  if (refused !== undefined) return refused;
  for (const { workload, lease } of facts.workloads) {
    const what = `${workload.kind} "${workload.name}"`;
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
