/**
 * How a restore ends, whatever it came to: what works on the live database ends, the app comes back, scratch goes, locks go. Pure.
 * Every step looks at the world, so a crash between any two of them changes nothing but the moment.
 */
import { instant } from '../../api/conditions.ts';
import type { CleanupResult } from '../../api/task.ts';
import type { Failure } from '../../lib/errors.ts';
import { backoff } from '../../policy/backoff.ts';
import type { Action, Decision } from '../action.ts';
import { hadNotBegun, holdUpOf, isOver, newest, type RunFacts, resultOf, strandedOf } from '../run-facts.ts';
import { oneAfterTheOther, removeOlder } from '../waiting.ts';
import {
  FENCE_MARGIN,
  fenceEndOf,
  isInPlace,
  isLateJob,
  lateJobName,
  lateRunsOf,
  loadWasBegun,
  mayBeLive,
  type Outcome,
  type RestoreFacts,
  takenWorkloads,
} from './facts.ts';
import { cleanupJob, loadSeconds, SWAP_SECONDS } from './jobs.ts';
import { bringBack, touchesLive } from './scaling.ts';

/** The next step of an ending, or `done`. */
export type EndingStep =
  /** Our note of the load Job must be in the status before the Job may go: it is what a later look goes by. */
  | { readonly step: 'note' }
  | Act
  | { readonly step: 'done'; readonly cleanup?: CleanupResult; readonly gaveUp: boolean };

interface Act {
  readonly step: 'act';
  readonly rows?: Decision['rows'];
  readonly actions: readonly Action[];
  readonly trouble?: Failure;
  readonly requeueAfter: number;
}

/** How long a target that does not answer may keep a restore from its end: the app is up again, only scratch is left. */
const CLEANUP_PATIENCE = 300_000;

/** Of a Restore that somebody deletes, and whose clean-up nobody lets us make. */
const UNTRIED_PATIENCE = 1_800_000;

const POLL = 2_000;

/** What only an admin can mend. */
const RETRY = 30_000;

export function endingStep(facts: RestoreFacts, result: Outcome['result'], now: Date): EndingStep {
  return (
    stopRunner(facts, now) ??
    askOfTheUnaccounted(facts, result, now) ??
    resumeApp(facts) ??
    waitForRest(facts, now) ??
    cleanUp(facts, result, now)
  );
}

/** What changes nothing: nobody waits for the end of its pod. */
const LOOKS = ['catalog', 'plan', 'examine', 'drill'] as const;

/**
 * Ends the Job. The pods of a run at the live database are waited for; beyond the fence they cannot do harm any more. All
 * others can change nothing that is live, so the app does not wait for them.
 */
function stopRunner(facts: RestoreFacts, now: Date): EndingStep | undefined {
  const { restore, runs } = facts;
  const looking = LOOKS.flatMap((purpose) => newest(runs, purpose) ?? []).find(({ state }) => state === 'active');
  if (looking !== undefined) return { step: 'act', actions: deleteJob(facts, looking), requeueAfter: POLL };
  const late = unended(facts, now);
  if (late.length === 0) return undefined;
  const live = late.filter((run) => touchesLive(restore, run));
  const noted = restore.status?.jobName;
  const isNoted = live.length > 0 ? noted === lateJobName(facts) : isLateJob(restore, noted);
  if (!isNoted) return { step: 'note' };
  const actions = late.flatMap((run) => deleteJob(facts, run));
  if (live.length === 0) return actions.length === 0 ? undefined : { step: 'act', actions, requeueAfter: POLL };
  const rests = live.flatMap((run) => fenceEndOf(run) ?? []).map((end) => end.getTime() - now.getTime());
  return {
    step: 'act',
    actions,
    ...troubleOf(live.flatMap((run) => strandedAtLive(run, now) ?? [])),
    requeueAfter: Math.max(Math.min(POLL, ...rests), 1),
  };
}

function unended(facts: RestoreFacts, now: Date): RunFacts[] {
  return lateRunsOf(facts).filter((run) => !isOver(run) && !isFenced(run, now));
}

function troubleOf([trouble]: readonly Failure[]): { readonly trouble?: Failure } {
  return trouble === undefined ? {} : { trouble };
}

function strandedAtLive(run: RunFacts, now: Date): Failure | undefined {
  const stranded = strandedOf(run, now);
  const end = fenceEndOf(run);
  if (stranded === undefined || end === undefined) return stranded;
  const { reason, message, hint = '' } = stranded;
  return {
    reason,
    message: `${message} It may still change the live database until ${instant(end)}: the app comes back then.`,
    hint: `${hint} Then the database is asked instead.`,
  };
}

/**
 * A run at the live database of which nothing is left, not even how it ended, may be at work. The database knows: the clean-up
 * ends its sessions, and drops what it would put in the place of the live one. Where it does not answer, the fence is waited for.
 */
function askOfTheUnaccounted(facts: RestoreFacts, result: Outcome['result'], now: Date): EndingStep | undefined {
  const end = result === 'Unknown' ? unaccountedUntil(facts) : undefined;
  const asked = newest(facts.runs, 'cleanup');
  if (end === undefined || now >= end || resultOf(asked, 'cleanup') !== undefined) return undefined;
  const rest = Math.max(end.getTime() - now.getTime(), 1);
  const step: Act = ask(facts, true, now) ?? { step: 'act', actions: [], requeueAfter: rest };
  const answer = asked === undefined ? undefined : unansweredOf(asked, now)?.message;
  const trouble: Failure = {
    reason: 'RunnerLost',
    message: `Nothing tells whether the runner at the live database has ended, and the database, which knows, does not say: ${answer}. Without its answer the app comes back at ${instant(end)}.`,
    hint: 'Look whether the database server answers.',
  };
  return { ...step, ...(answer === undefined ? {} : { trouble }), requeueAfter: Math.min(step.requeueAfter, rest) };
}

function unaccountedUntil(facts: RestoreFacts): Date | undefined {
  const { restore, runs } = facts;
  if (!mayBeLive(facts)) return undefined;
  const joins = isInPlace(facts);
  const run = newest(runs, joins ? 'load' : 'swap');
  if (run !== undefined) return isOver(run) && run.unaccounted === true ? fenceEndOf(run) : undefined;
  // Should it have begun since, it was ended with its Job like any other; the clean-up, which may not begin either, asks later.
  if (hadNotBegun(restore.status?.outcome?.failure)) return undefined;
  // Gone with its Job: the Leases know how late it can be; else it is known from when it was ended.
  const fences = takenWorkloads(facts).flatMap(({ lease }) => lease.fence?.getTime() ?? []);
  if (fences.length > 0) return new Date(Math.max(...fences) + FENCE_MARGIN);
  const seconds = joins ? loadSeconds(restore) : SWAP_SECONDS;
  const since = concludedAt(restore);
  return since === undefined ? undefined : new Date(since.getTime() + seconds * 1000 + FENCE_MARGIN);
}

/** When the ending began: with the deletion of the Restore, or when the outcome was written down. */
function concludedAt({ metadata, status }: RestoreFacts['restore']): Date | undefined {
  const time = metadata.deletionTimestamp ?? status?.outcome?.time;
  return time === undefined ? undefined : new Date(time);
}

/** The clean-up ends the sessions of a pod that is still there; that it ends by itself is the better end. */
const REST_PATIENCE = 120_000;

function waitForRest(facts: RestoreFacts, now: Date): EndingStep | undefined {
  const left = unended(facts, now);
  const since = concludedAt(facts.restore);
  if (left.length === 0 || since === undefined || now.getTime() >= since.getTime() + REST_PATIENCE) return undefined;
  const trouble = troubleOf(left.flatMap((run) => strandedOf(run, now) ?? []));
  return { step: 'act', actions: [], ...trouble, requeueAfter: POLL };
}

function isFenced(run: RunFacts, now: Date): boolean {
  const end = fenceEndOf(run);
  return end !== undefined && now >= end;
}

function deleteJob({ restore }: RestoreFacts, run: RunFacts): Action[] {
  if (run.job === undefined || run.job.leaving) return [];
  return [{ action: 'deleteJob', namespace: restore.metadata.namespace, name: run.name, uid: run.job.uid }];
}

/** A workload that may not be looked at holds the ending up, since it may be at zero; the others are brought back. */
function resumeApp(facts: RestoreFacts): EndingStep | undefined {
  const { rows, trouble } = bringBack(facts);
  if (trouble !== undefined) return { step: 'act', actions: [], rows, trouble, requeueAfter: RETRY };
  return rows.length === 0 ? undefined : { step: 'act', actions: [], rows, requeueAfter: POLL };
}

function cleanUp(facts: RestoreFacts, result: Outcome['result'], now: Date): EndingStep {
  if (!loadWasBegun(facts) || result === 'Restored' || result === 'AlreadyRestored')
    return { step: 'done', gaveUp: false };
  const run = newest(facts.runs, 'cleanup');
  const cleanup = resultOf(run, 'cleanup');
  if (cleanup !== undefined) return { step: 'done', cleanup, gaveUp: false };
  const asksOn = isAskedUntilItTells(facts, result);
  if (!asksOn && isPastPatience(facts, now)) return { step: 'done', gaveUp: true };
  const trouble = run === undefined ? {} : silenceOf(facts, run, asksOn, now);
  const step = ask(facts, asksOn, now);
  return step === undefined ? { step: 'done', gaveUp: true } : { ...step, ...trouble };
}

/** Makes the clean-up, or waits for it. Undefined where nobody knows any more which database it is about. */
function ask(facts: RestoreFacts, asksOn: boolean, now: Date): Act | undefined {
  const run = newest(facts.runs, 'cleanup');
  if (run !== undefined && run.state !== 'gone') {
    if (!isOver(run)) return { step: 'act', actions: [], requeueAfter: POLL };
    const ended = run.ended ?? now;
    const due = ended.getTime() + backoff(facts.runs[0]?.job?.created ?? ended, ended);
    if (now.getTime() < due) return { step: 'act', actions: [], requeueAfter: due - now.getTime() };
  }
  const job = cleanupJob(facts, 'cleanup', (run?.attempt ?? 0) + 1);
  if (job === undefined) return undefined;
  const tries = facts.runs.filter(({ purpose }) => purpose === 'cleanup');
  const older = asksOn ? removeOlder(tries, facts.restore.metadata.namespace) : [];
  return { step: 'act', actions: [{ action: 'createJob', job }, ...older], requeueAfter: POLL };
}

/** What went live unknown to us must not be called a failure that changed nothing. Who deletes the Restore does not ask. */
function isAskedUntilItTells(facts: RestoreFacts, result: Outcome['result']): boolean {
  return result === 'Unknown' && mayBeLive(facts) && facts.restore.metadata.deletionTimestamp === undefined;
}

function unansweredOf(run: RunFacts, now: Date): Failure | undefined {
  const { report } = run;
  return report !== undefined && !report.ok ? report.failure : holdUpOf(run, now);
}

/** Why the server has not told yet. */
function silenceOf(facts: RestoreFacts, run: RunFacts, asksOn: boolean, now: Date): { readonly trouble?: Failure } {
  const trouble = unansweredOf(run, now);
  if (trouble === undefined) return {};
  if (!asksOn) return { trouble };
  const { name, namespace } = facts.restore.metadata;
  const { reason, message, hint } = trouble;
  const whole =
    'Whether the restored database went live only the server knows, and it is asked again until it tells; the app is back.';
  const wayOut = `To have it asked no more: kubectl delete restore.holdfast.dev ${name} -n ${namespace}`;
  return {
    trouble: {
      reason,
      message: oneAfterTheOther([message, whole]),
      hint: hint === undefined ? wayOut : oneAfterTheOther([hint, wayOut]),
    },
  };
}

/**
 * Counted from when the outcome was written down, or from the deletion of the Restore, and never before the fence or the
 * first try: an operator that was away meanwhile has not asked yet, and only the database knows what an unknown outcome is.
 */
function isPastPatience(facts: RestoreFacts, now: Date): boolean {
  const { restore, runs } = facts;
  const isLeaving = restore.metadata.deletionTimestamp !== undefined;
  const waitedFor = lateRunsOf(facts).filter((run) => !isOver(run) && touchesLive(restore, run));
  const fences = waitedFor.flatMap((run) => fenceEndOf(run)?.getTime() ?? []);
  const tries = runs.filter(({ purpose }) => purpose === 'cleanup').flatMap(({ job }) => job?.created.getTime() ?? []);
  const first = tries.length === 0 ? [] : [Math.min(...tries)];
  const since = Math.max((concludedAt(restore) ?? now).getTime(), ...fences, ...first);
  // That a try was refused is in the status, where nothing else is by then; of a Restore being deleted it may be older.
  const isTried = tries.length > 0 || (!isLeaving && restore.status?.failure !== undefined);
  const patience = isTried ? CLEANUP_PATIENCE : isLeaving ? UNTRIED_PATIENCE : Number.POSITIVE_INFINITY;
  return now.getTime() > since + patience;
}
