/** What happens to the replaced database once `keepPrevious` is over. Pure. */
import { type Condition, summarise } from '../../api/conditions.ts';
import type { RestoreStatus } from '../../api/restore.ts';
import type { CleanupResult } from '../../api/task.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { Failure } from '../../lib/errors.ts';
import { backoff } from '../../policy/backoff.ts';
import type { Action, Decision } from '../action.ts';
import { holdUpOf, isOver, newest, POD_PATIENCE, type RunFacts, resultOf, runnerLost } from '../run-facts.ts';
import { removeOlder, said } from '../waiting.ts';
import type { RestoreFacts } from './facts.ts';
import { cleanupJob } from './jobs.ts';
import { undoOf } from './undo.ts';

/** While an undo is under way nothing is dropped; it says itself when it is over, and this is for an event that was missed. */
const UNDO_POLL = 30_000;

export function expire(facts: RestoreFacts, now: Date): Decision<RestoreStatus> {
  const { restore, runs, undoers = [] } = facts;
  const { status, spec, metadata } = restore;
  if (
    status === undefined ||
    (status.previousDatabase === undefined && status.previousDatabases === undefined) ||
    status.completionTime === undefined ||
    metadata.deletionTimestamp !== undefined
  )
    return { actions: [] };
  const undo = undoOf(restore, undoers);
  if (undo?.undo === 'done')
    return gone(status, 'PreviousBack', `Restore ${undo.by} made the replaced database live again`);
  if (undo?.undo === 'wanted') return { actions: [], requeueAfter: UNDO_POLL };
  const due = Date.parse(status.completionTime) + parseDuration(spec.keepPrevious ?? '24h');
  if (now.getTime() < due) return { actions: [], requeueAfter: due - now.getTime() };
  const run = newest(runs, 'expire');
  const result = resultOf(run, 'cleanup');
  if (result !== undefined && isGone(result)) return gone(status, 'PreviousDropped', DROPPED);
  const stuck = (failure: Failure) => stuckStatus(status, failure, now);
  if (run !== undefined && !isOver(run) && run.state !== 'gone') {
    const holdUp = holdUpOf(run, now);
    const told = holdUp === undefined ? {} : { status: stuck(holdUp) };
    return { actions: [], ...told, ...(run.started ? {} : { requeueAfter: POD_PATIENCE }) };
  }
  const last = run === undefined || run.state === 'gone' ? undefined : run;
  const told = last === undefined ? {} : { status: stuck(whyNot(last, result, metadata.namespace)) };
  const ended = last?.ended ?? now;
  const retryAt = last === undefined ? 0 : ended.getTime() + backoff(new Date(due), ended);
  if (now.getTime() < retryAt) return { actions: [], ...told, requeueAfter: retryAt - now.getTime() };
  return { actions: dropIt(facts, (run?.attempt ?? 0) + 1), ...told, statusOnFailure: stuck };
}

/** Why an attempt that is over did not drop it. */
function whyNot(run: RunFacts, result: CleanupResult | undefined, namespace: string): Failure {
  if (run.report !== undefined && !run.report.ok) return run.report.failure;
  if (result === undefined) return runnerLost(run, namespace);
  const { previousDatabase, previousDatabases = [] } = result;
  const left = previousDatabase === undefined ? previousDatabases : [previousDatabase];
  return { reason: 'PreviousLeft', message: `still there: ${left.join(', ')}` };
}

const DROP = 'PreviousDropped';

/** It takes up room for as long as nobody knows. Tried again all the same. */
function stuckStatus(status: RestoreStatus, failure: Failure, now: Date): RestoreStatus {
  const { reason, message } = said(failure);
  const whole = `keepPrevious is over, and the replaced database could not be dropped: ${message}`;
  const report = { type: DROP, status: 'False', reason, message: whole } as const;
  const { conditions = [], observedGeneration = 0 } = status;
  return {
    ...status,
    conditions: [...withoutDrop(conditions), ...summarise(conditions, [report], observedGeneration, now)],
  };
}

function withoutDrop(conditions: readonly Condition[]): Condition[] {
  return conditions.filter(({ type }) => type !== DROP);
}

function isGone({ previousDatabase, previousDatabases = [] }: CleanupResult): boolean {
  return previousDatabase === undefined && previousDatabases.length === 0;
}

const DROPPED = 'keepPrevious is over: the replaced database was dropped';

function gone(status: RestoreStatus, reason: string, note: string): Decision<RestoreStatus> {
  const { previousDatabase: _, previousDatabases: __, conditions = [], ...rest } = status;
  return {
    actions: [
      {
        action: 'event',
        type: 'Normal',
        reason,
        note,
      },
    ],
    status: { ...rest, conditions: withoutDrop(conditions) },
  };
}

/** Makes the next attempt, and removes the Jobs of those before the last. */
function dropIt(facts: RestoreFacts, attempt: number): Action[] {
  const job = cleanupJob(facts, 'expire', attempt);
  if (job === undefined) return [];
  const expiries = facts.runs.filter(({ purpose }) => purpose === 'expire');
  return [{ action: 'createJob', job }, ...removeOlder(expiries, facts.restore.metadata.namespace)];
}
