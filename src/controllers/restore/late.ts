/**
 * Where a restore stands once the app is at rest: one run after the other works on the target, and the operator is the
 * gate between them. Pure.
 */
import type { Restore } from '../../api/restore.ts';
import type { CheckOutcome } from '../../api/task.ts';
import type { Failure } from '../../lib/errors.ts';
import { isOver, neverStarted, type RunFacts, resultOf, runnerLost, strandedOf } from '../run-facts.ts';
import { retryTime } from '../waiting.ts';
import { contestFailure, startedAgain } from './contest.ts';
import { fenceOf, loadRunOf, type RestoreFacts } from './facts.ts';
import { quiesceIsOverdue, touchesLive, waitsFor } from './scaling.ts';
import type { Loaded, LoadedTask, RestoreState } from './state.ts';

export function lateState(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState {
  if (!isOver(run))
    return failedAtWork(facts, run, now) ?? { state: AT_WORK[run.purpose as keyof typeof AT_WORK], run };
  switch (run.purpose) {
    case 'swap':
      return afterSwap(facts, run, now);
    case 'check':
      return afterCheck(facts, run, now);
    default:
      return afterLoad(facts, run, now);
  }
}

const AT_WORK = { load: 'loading', check: 'checking', swap: 'swapping' } as const;

/** Why a run at work is given up. */
function failedAtWork(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState | undefined {
  const failure =
    contest(facts, run) ??
    notStarted(run, facts.restore.metadata.namespace, now) ??
    strandedOf(run, now) ??
    (isFencedOff(run, now) ? TOO_LATE : undefined);
  return failure === undefined ? undefined : unknown(failure);
}

/** Beside what is live the work goes on while the app is taken down again; at what is live itself it does not. */
function contest(facts: RestoreFacts, run: RunFacts): Failure | undefined {
  return touchesLive(facts.restore, run) ? startedAgain(facts) : contestFailure(facts);
}

const unknown = (failure: Failure): RestoreState => ({ state: 'concluded', outcome: { result: 'Unknown', failure } });

const failed = (failure: Failure): RestoreState => ({ state: 'concluded', outcome: { result: 'Failed', failure } });

function isFencedOff(run: RunFacts, now: Date): boolean {
  const fence = fenceOf(run);
  return fence !== undefined && now > fence;
}

function afterLoad(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState {
  const result = resultOf(run, 'load');
  if (result === undefined)
    return repeat(facts, run, now, () => reload(facts, run, now)) ?? concludedWithout(facts, run);
  if (result.live !== undefined) return { state: 'concluded', outcome: { result: 'Restored' } };
  // The load Job may be gone before the swap Job is there, with its pod: then loading starts over, into a new scratch database.
  if (run.task?.command !== 'load') return unknown(runnerLost(run, facts.restore.metadata.namespace));
  const loaded = { ...run.task, ...(result.noted === undefined ? {} : { noted: result.noted }) };
  const { checks = [] } = facts.restore.spec;
  return checks.length > 0
    ? (failedAtWork(facts, run, now) ?? checkable(facts, run, loaded, 1, now))
    : gate(facts, run, loaded, 1, now);
}

function afterCheck(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState {
  const loaded = loadTaskOf(run);
  if (loaded === undefined) return unknown(runnerLost(run, facts.restore.metadata.namespace));
  const result = resultOf(run, 'check');
  if (result === undefined) {
    const again = () =>
      'undone' in loaded ? concludedWithout(facts, run) : checkable(facts, run, loaded, run.attempt + 1, now);
    return repeat(facts, run, now, again) ?? concludedWithout(facts, run);
  }
  const broken = result.checks.filter(({ passed }) => !passed);
  if (broken.length > 0) return failed(checkFailed(facts.restore, broken));
  return gate(facts, run, loaded, 1, now);
}

function afterSwap(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState {
  if (resultOf(run, 'swap') !== undefined) return { state: 'concluded', outcome: { result: 'Restored' } };
  const loaded = withTimeOfLoad(facts, loadTaskOf(run));
  if (loaded === undefined) return concludedWithout(facts, run);
  return repeat(facts, run, now, () => gate(facts, run, loaded, run.attempt + 1, now)) ?? concludedWithout(facts, run);
}

/** The time of a swap is its own, and that of the next attempt is as well. */
function withTimeOfLoad(facts: RestoreFacts, loaded: Loaded | undefined): Loaded | undefined {
  const load = loadRunOf(facts)?.task;
  if (loaded === undefined || load?.command !== 'load') return loaded;
  return { ...loaded, notAfter: load.notAfter };
}

/** Nothing goes live while a pod of the app runs, or after the fence. One that was started again meanwhile is waited for. */
function gate(facts: RestoreFacts, run: RunFacts, loaded: Loaded, attempt: number, now: Date): RestoreState {
  const failure = contestFailure(facts) ?? (isFencedOff(run, now) ? TOO_LATE : undefined);
  if (failure !== undefined) return unknown(failure);
  const waits = waitsFor(facts);
  if (waits.length === 0) return jobIsRefused(facts, 'Swapping', now, run) ?? { state: 'swappable', loaded, attempt };
  return quiesceIsOverdue(facts, waits, now, run.ended) ?? { state: 'quiescing', waitsFor: waits };
}

/**
 * The app is down meanwhile: what does not answer for longer than this is not waited for, and the live database is as it was. Until
 * something is loaded there is little to lose by giving up.
 */
const REPEAT_PATIENCE = { load: 180_000, check: 600_000, swap: 600_000 } as const;

/** What ended before it began, since something did not answer, is tried again for a while: what was loaded is still there. */
function repeat(facts: RestoreFacts, run: RunFacts, now: Date, again: () => RestoreState): RestoreState | undefined {
  const { report } = run;
  if (report === undefined || report.ok || !report.retry) return undefined;
  const purpose = run.purpose as keyof typeof REPEAT_PATIENCE;
  const first = facts.runs.find((each) => each.purpose === purpose)?.job?.created ?? run.job?.created;
  const isPastPatience = first !== undefined && now.getTime() > first.getTime() + REPEAT_PATIENCE[purpose];
  if (isPastPatience || isFencedOff(run, now)) return failed(report.failure);
  const retryAt = retryTime(first?.toISOString(), run);
  const phase = PHASES[purpose];
  if (retryAt !== undefined && now < retryAt) return { state: 'pausing', phase, failure: report.failure, retryAt };
  return again();
}

const PHASES = { load: 'Loading', check: 'Checking', swap: 'Swapping' } as const;

/** The same as the first was told, its fence as well. */
function reload(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState {
  if (run.task?.command !== 'load') return concludedWithout(facts, run);
  const contested = contest(facts, run);
  if (contested !== undefined) return unknown(contested);
  const waits = waitsFor(facts);
  if (waits.length > 0)
    return quiesceIsOverdue(facts, waits, now, run.ended) ?? { state: 'quiescing', waitsFor: waits };
  return jobIsRefused(facts, 'Loading', now, run) ?? { state: 'reloadable', task: run.task, attempt: run.attempt + 1 };
}

function checkable(facts: RestoreFacts, run: RunFacts, loaded: LoadedTask, attempt: number, now: Date): RestoreState {
  return jobIsRefused(facts, 'Checking', now, run) ?? { state: 'checkable', loaded, attempt };
}

/** What the load was told, from what a later run was told; of an undo, which loads nothing, what its swap was told. */
function loadTaskOf({ task }: RunFacts): Loaded | undefined {
  if (task?.command === 'load') return task;
  if (task?.command === 'check') {
    const { checks: _, ...base } = task;
    return { ...base, command: 'load' };
  }
  if (task?.command !== 'swap') return undefined;
  const { dropPrevious: _, ...base } = task;
  return 'undone' in base ? base : { ...base, command: 'load' };
}

function checkFailed(restore: Restore, broken: readonly CheckOutcome[]): Failure {
  const told = broken.map(({ name, found }) => {
    const expected = restore.spec.checks?.find((check) => check.name === name)?.expect;
    return `${name} (${found === undefined ? 'not as expected' : `expected ${expected}, found ${found}`})`;
  });
  const kept = restore.spec.keepScratch === true;
  return {
    reason: 'CheckFailed',
    message: `The restored database is not what was wanted, so it did not go live: ${told.join('; ')}`,
    hint: kept
      ? 'It is kept under the name in status.scratchDatabase: look, then drop it. Restore from another backup, or correct the check.'
      : 'Restore from another backup, or correct the check; with keepScratch: true the restored database stays for a look.',
  };
}

/** The app is down meanwhile, so a pod that does not start (a quota, an image, no node) is not waited for until the fence. */
const LOAD_START_PATIENCE = 300_000;

function notStarted(run: RunFacts, namespace: string, now: Date): Failure | undefined {
  if (run.started || run.job === undefined || now.getTime() < run.job.created.getTime() + LOAD_START_PATIENCE)
    return undefined;
  return neverStarted(run, namespace, now);
}

/**
 * Nor is a Job that the API server refuses (a quota, a webhook). `before`: the run that it follows; it counts from its end, and
 * from when the app was at rest, where that was later.
 */
export function jobIsRefused(
  { restore: { status } }: RestoreFacts,
  phase: 'Loading' | 'Checking' | 'Swapping',
  now: Date,
  before?: RunFacts,
): RestoreState | undefined {
  const { failure, conditions } = status ?? {};
  const rested = conditions?.find(({ type, status: value }) => type === 'Quiesced' && value === 'True');
  if (rested === undefined || status?.phase !== phase || failure === undefined) return undefined;
  // That is what the attempt before said.
  if (before?.report?.ok === false && before.report.failure.message === failure.message) return undefined;
  const since = Math.max(Date.parse(rested.lastTransitionTime), before?.ended?.getTime() ?? 0);
  if (now.getTime() < since + LOAD_START_PATIENCE) return undefined;
  return unknown({
    ...failure,
    message: `No Job could be made for five minutes, with the app at zero. ${failure.message}`,
  });
}

const TOO_LATE: Failure = {
  reason: 'DeadlineExceeded',
  message:
    'The runner did not end in time: it loads too slowly, or its node is cut off. It may not touch the live database any more.',
  hint: 'Give spec.activeDeadlineSeconds a larger value in a new Restore, or look at the node of its pod.',
};

/** The runner reports a failure only when nothing went live; without a report both are possible. */
function concludedWithout({ restore }: RestoreFacts, run: RunFacts): RestoreState {
  const { report } = run;
  if (report !== undefined && !report.ok) return failed(report.failure);
  return unknown(runnerLost(run, restore.metadata.namespace));
}
