/** What the ends of a restore have in common, of one database or of a whole server. */
import type { CleanupTask, RestoreTask } from '../api/task.ts';
import type { CleanupOutcome, Login } from '../engines/engine.ts';
import { HoldfastError, toHoldfastError } from '../lib/errors.ts';
import { engineContext, type RunnerContext } from './context.ts';

/** For dropping scratch databases after a failure; well within the pod's grace of a minute. */
const CLEANUP_MS = 40_000;

/** By connections of its own and with a time of its own: the run's signal may be what ended the work. */
export function cleanUp(task: RestoreTask, context: RunnerContext, login: Login): Promise<CleanupOutcome> {
  const { run, database, scratchDatabase, previousDatabase, dropPrevious } = task;
  const cleanup: CleanupTask = { command: 'cleanup', run, database, scratchDatabase, previousDatabase, dropPrevious };
  const engine = engineContext(context, run);
  return context.engine.cleanUp(cleanup, login, { ...engine, signal: AbortSignal.timeout(CLEANUP_MS) });
}

export function refusal([first, ...others]: readonly {
  reason: string;
  message: string;
  hint?: string;
}[]): HoldfastError {
  const more =
    others.length === 0 ? '' : ` (and ${others.length} more: ${others.map(({ reason }) => reason).join(', ')})`;
  const { reason = 'Refused', message = 'the restore is refused', hint } = first ?? {};
  return new HoldfastError(reason, `${message}${more}`, hint === undefined ? {} : { hint });
}

/** The work was begun and undone. Trying the same again blindly is for the operator to decide, unless the run was merely ended. */
export function begun(caught: unknown): HoldfastError {
  const { reason, message, hint, outlook } = toHoldfastError(caught);
  const after = reason === 'Interrupted' ? outlook : 'final';
  return new HoldfastError(reason, message, { outlook: after, cause: caught, ...(hint === undefined ? {} : { hint }) });
}
