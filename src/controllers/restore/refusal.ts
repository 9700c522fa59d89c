/** What ends a restore before anything was touched. Pure. */
import type { RestoreSpec } from '../../api/restore.ts';
import type { PlanResult } from '../../api/task.ts';
import type { Failure } from '../../lib/errors.ts';
import { neverStarted, type RunFacts } from '../run-facts.ts';
import { oneAfterTheOther } from '../waiting.ts';
import { type RestoreFacts, startDeadlineOf } from './facts.ts';
import type { RestoreState } from './state.ts';

/** Checks are asked of a database that is not live yet, and what joins a live one never is. */
export function checksInPlace(
  { checks }: Pick<RestoreSpec, 'checks'>,
  { inPlace }: Pick<PlanResult, 'inPlace'>,
): readonly Failure[] {
  if (checks === undefined || inPlace !== true) return [];
  return [
    {
      reason: 'ChecksInPlace',
      message:
        'what is restored is added to the live database in one transaction, so there is no moment for spec.checks',
      hint: 'Leave out checks in a new Restore, or restore to another target.postgresql.database, ask there and take from there what is wanted.',
    },
  ];
}

/** Several refusals are one failure: the person mends them all at once. */
export function refusalOf(refusals: readonly Failure[]): Failure | undefined {
  const [first, ...rest] = refusals;
  if (first === undefined) return undefined;
  if (rest.length === 0) return first;
  const all = [first, ...rest];
  return {
    reason: first.reason,
    message: oneAfterTheOther(all.map(({ reason, message }) => `${reason}: ${message}`)),
    hint: oneAfterTheOther(all.flatMap(({ hint }) => hint ?? [])),
  };
}

export function startIsOverdue(facts: RestoreFacts, run: RunFacts, now: Date): RestoreState | undefined {
  if (run.started || now < startDeadlineOf(facts)) return undefined;
  const failure = neverStarted(run, facts.restore.metadata.namespace, now);
  return { state: 'concluded', outcome: { result: 'Failed', failure } };
}
