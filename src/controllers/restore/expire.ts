/** What happens to the replaced database once `keepPrevious` is over. Pure. */
import type { RestoreStatus } from '../../api/restore.ts';
import type { CleanupResult } from '../../api/task.ts';
import { parseDuration } from '../../lib/duration.ts';
import { backoff } from '../../policy/backoff.ts';
import type { Action, Decision } from '../action.ts';
import { isOver, newest, resultOf } from '../run-facts.ts';
import { removeOlder } from '../waiting.ts';
import type { RestoreFacts } from './facts.ts';
import { cleanupJob } from './jobs.ts';

export function expire(facts: RestoreFacts, now: Date): Decision<RestoreStatus> {
  const { restore, runs } = facts;
  const { status, spec, metadata } = restore;
  if (
    status === undefined ||
    (status.previousDatabase === undefined && status.previousDatabases === undefined) ||
    status.completionTime === undefined ||
    metadata.deletionTimestamp !== undefined
  )
    return { actions: [] };
  const due = Date.parse(status.completionTime) + parseDuration(spec.keepPrevious ?? '24h');
  if (now.getTime() < due) return { actions: [], requeueAfter: due - now.getTime() };
  const run = newest(runs, 'expire');
  const result = resultOf(run, 'cleanup');
  if (result !== undefined && isGone(result)) return gone(status);
  if (run !== undefined && run.state !== 'gone') {
    if (!isOver(run)) return { actions: [] };
    const retryAt = (run.ended ?? now).getTime() + backoff(new Date(due), run.ended ?? now);
    if (now.getTime() < retryAt) return { actions: [], requeueAfter: retryAt - now.getTime() };
  }
  return { actions: dropIt(facts, (run?.attempt ?? 0) + 1) };
}

function isGone({ previousDatabase, previousDatabases = [] }: CleanupResult): boolean {
  return previousDatabase === undefined && previousDatabases.length === 0;
}

function gone(status: RestoreStatus): Decision<RestoreStatus> {
  const { previousDatabase: _, previousDatabases: __, ...rest } = status;
  return {
    actions: [
      {
        action: 'event',
        type: 'Normal',
        reason: 'PreviousDropped',
        note: 'keepPrevious is over: the replaced database was dropped',
      },
    ],
    status: rest,
  };
}

/** Makes the next attempt, and removes the Jobs of those before the last. */
function dropIt(facts: RestoreFacts, attempt: number): Action[] {
  const job = cleanupJob(facts, 'expire', attempt);
  if (job === undefined) return [];
  const expiries = facts.runs.filter(({ purpose }) => purpose === 'expire');
  return [{ action: 'createJob', job }, ...removeOlder(expiries, facts.restore.metadata.namespace)];
}
