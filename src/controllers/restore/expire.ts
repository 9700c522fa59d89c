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

const DROPPED = 'keepPrevious is over: the replaced database was dropped';

function gone(status: RestoreStatus, reason: string, note: string): Decision<RestoreStatus> {
  const { previousDatabase: _, previousDatabases: __, ...rest } = status;
  return {
    actions: [
      {
        action: 'event',
        type: 'Normal',
        reason,
        note,
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
