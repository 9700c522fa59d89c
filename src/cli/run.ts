/** What a Backup or a Restore says of itself. Pure. */
import type { Backup } from '../api/backup.ts';
import { isTrue } from '../api/conditions.ts';
import type { Restore } from '../api/restore.ts';
import type { Failure } from '../lib/errors.ts';

export type Run = Backup | Restore;

export function isOver(run: Run): boolean {
  return isComplete(run) || hasFailed(run);
}

export function isComplete(run: Run): boolean {
  return isTrue(run.status?.conditions, 'Complete');
}

export function hasFailed(run: Run): boolean {
  return isTrue(run.status?.conditions, 'Failed');
}

/** Whether the operator has said anything of it. A status there is always: the API server begins one. */
export function isLookedAt(run: Run): boolean {
  return run.status?.phase !== undefined || run.status?.failure !== undefined;
}

export function phaseOf(run: Run): string {
  return run.status?.phase ?? 'New';
}

/** What it waits for or is at, in the operator's words. */
export function detailOf(run: Run): string | undefined {
  const { failure, conditions } = run.status ?? {};
  if (failure !== undefined) return `${failure.reason}: ${failure.message}`;
  if (isOver(run)) return undefined;
  if (!isLookedAt(run)) return 'the operator has not looked at it yet';
  return conditions?.find(({ type, status }) => type === 'Reconciling' && status === 'True')?.message;
}

/** Why it failed, with the next step. */
export function failureOf(run: Run): Failure {
  const { failure } = run.status ?? {};
  return failure ?? { reason: 'Failed', message: 'The operator says that it failed, and not why.' };
}

/** How long it took, or has been at it. */
export function spanOf(run: Run, now: Date): number {
  const start = Date.parse(run.status?.startTime ?? run.metadata.creationTimestamp);
  const end = run.status?.completionTime === undefined ? now.getTime() : Date.parse(run.status.completionTime);
  return end - start;
}
