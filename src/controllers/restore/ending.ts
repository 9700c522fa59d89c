/**
 * How a restore ends, whatever it came to: the runner ends, the app comes back, scratch goes, locks go. Pure.
 * Every step looks at the world, so a crash between any two of them changes nothing but the moment.
 */
import type { CleanupResult } from '../../api/task.ts';
import type { Failure } from '../../lib/errors.ts';
import { backoff } from '../../policy/backoff.ts';
import type { Action } from '../action.ts';
import { isOver, newest, type RunFacts, resultOf } from '../run-facts.ts';
import { fenceEndOf, isLateJob, lateRunsOf, loadWasBegun, type Outcome, type RestoreFacts } from './facts.ts';
import { cleanupJob } from './jobs.ts';
import { bringBack } from './scaling.ts';

/** The next step of an ending, or `done`. */
export type EndingStep =
  /** Our note of the load Job must be in the status before the Job may go: it is what a later look goes by. */
  | { readonly step: 'note' }
  | {
      readonly step: 'act';
      readonly actions: readonly Action[];
      readonly trouble?: Failure;
      readonly requeueAfter: number;
    }
  | { readonly step: 'done'; readonly cleanup?: CleanupResult; readonly gaveUp: boolean };

/** How long a target that does not answer may keep a restore from its end: the app is up again, only scratch is left. */
const CLEANUP_PATIENCE = 300_000;

/** Of a Restore that somebody deletes, and whose clean-up nobody lets us make. */
const UNTRIED_PATIENCE = 1_800_000;

const POLL = 2_000;

/** What only an admin can mend. */
const RETRY = 30_000;

export function endingStep(facts: RestoreFacts, result: Outcome['result'], now: Date): EndingStep {
  return stopRunner(facts, now) ?? resumeApp(facts) ?? cleanUp(facts, result, now);
}

/** What changes nothing: nobody waits for the end of its pod. */
const LOOKS = ['catalog', 'plan', 'examine', 'drill'] as const;

/** Waits for the runner's pods to end; beyond the fence they cannot do harm any more and are not waited for. */
function stopRunner(facts: RestoreFacts, now: Date): EndingStep | undefined {
  const looking = LOOKS.flatMap((purpose) => newest(facts.runs, purpose) ?? []).find(({ state }) => state === 'active');
  if (looking !== undefined) return { step: 'act', actions: deleteJob(facts, looking), requeueAfter: POLL };
  const late = lateRunsOf(facts).filter((run) => !isOver(run) && !isFenced(run, now));
  if (late.length === 0) return undefined;
  if (!isLateJob(facts.restore, facts.restore.status?.jobName)) return { step: 'note' };
  const rests = late.flatMap((run) => fenceEndOf(run) ?? []).map((end) => end.getTime() - now.getTime());
  return {
    step: 'act',
    actions: late.flatMap((run) => deleteJob(facts, run)),
    requeueAfter: Math.max(Math.min(POLL, ...rests), 1),
  };
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
  const { actions, trouble } = bringBack(facts);
  if (trouble !== undefined) return { step: 'act', actions, trouble, requeueAfter: RETRY };
  return actions.length === 0 ? undefined : { step: 'act', actions, requeueAfter: POLL };
}

function cleanUp(facts: RestoreFacts, result: Outcome['result'], now: Date): EndingStep {
  if (!loadWasBegun(facts) || result === 'Restored' || result === 'AlreadyRestored')
    return { step: 'done', gaveUp: false };
  const run = newest(facts.runs, 'cleanup');
  const cleanup = resultOf(run, 'cleanup');
  if (cleanup !== undefined) return { step: 'done', cleanup, gaveUp: false };
  if (isPastPatience(facts, now)) return { step: 'done', gaveUp: true };
  if (run !== undefined && run.state !== 'gone') {
    if (!isOver(run)) return { step: 'act', actions: [], requeueAfter: POLL };
    const ended = run.ended ?? now;
    const due = ended.getTime() + backoff(facts.runs[0]?.job?.created ?? ended, ended);
    if (now.getTime() < due) return { step: 'act', actions: [], requeueAfter: due - now.getTime() };
  }
  const attempt = (run?.attempt ?? 0) + 1;
  const job = cleanupJob(facts, 'cleanup', attempt);
  if (job === undefined) return { step: 'done', gaveUp: true };
  return { step: 'act', actions: [{ action: 'createJob', job }], requeueAfter: POLL };
}

/**
 * Counted from when the outcome was written down, or from the deletion of the Restore, and never before the fence or the
 * first try: an operator that was away meanwhile has not asked yet, and only the database knows what an unknown outcome is.
 */
function isPastPatience(facts: RestoreFacts, now: Date): boolean {
  const { restore, runs } = facts;
  const leaving = restore.metadata.deletionTimestamp;
  const concluded = leaving ?? restore.status?.outcome?.time;
  const fences = lateRunsOf(facts).flatMap((run) => (isOver(run) ? [] : (fenceEndOf(run)?.getTime() ?? [])));
  const tries = runs.filter(({ purpose }) => purpose === 'cleanup').flatMap(({ job }) => job?.created.getTime() ?? []);
  const first = tries.length === 0 ? [] : [Math.min(...tries)];
  const since = Math.max(concluded === undefined ? now.getTime() : Date.parse(concluded), ...fences, ...first);
  // That a try was refused is in the status of a Restore, but not of one that somebody deletes.
  const isTried = tries.length > 0 || restore.status?.failure !== undefined;
  const patience = isTried ? CLEANUP_PATIENCE : leaving === undefined ? Number.POSITIVE_INFINITY : UNTRIED_PATIENCE;
  return now.getTime() > since + patience;
}
