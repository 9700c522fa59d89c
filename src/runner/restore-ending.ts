/** How a restore ends, of one database or of a whole server. */
import { LABELS } from '../api/names.ts';
import type { CleanupTask, LoadTask, RunIdentity, SwapResult, SwapTask, UndoSwapTask } from '../api/task.ts';
import type { CleanupOutcome, InstancePlan, Login, TargetPlan } from '../engines/engine.ts';
import { HoldfastError, toHoldfastError } from '../lib/errors.ts';
import { close } from './close.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { firstNames } from './first-names.ts';

export interface RestoreJob {
  readonly task: LoadTask | SwapTask | UndoSwapTask;
  readonly context: RunnerContext;
  readonly login: Login;
}

/** Names of what went out of the way: of one database in the singular, of a whole server in the plural. */
type Replaced = Omit<CleanupOutcome, 'restored'>;

/** What a target of one database and that of a whole server have in common. */
export interface RestoreTarget extends AsyncDisposable {
  plan(): Promise<TargetPlan & Partial<InstancePlan>>;
  swap(fence: Date): Promise<Replaced>;
  dropPrevious(): Promise<void>;
}

/** The restore is live: what was replaced and cannot be dropped is a line in the log, not a failure. */
export async function keepOrDrop(
  { task, context }: RestoreJob,
  target: RestoreTarget,
  replaced: Replaced,
): Promise<SwapResult> {
  const kept = told(replaced);
  if (!dropsPrevious(task) || Object.keys(kept).length === 0) return kept;
  try {
    await target.dropPrevious();
    return {};
  } catch (error) {
    context.log.warn({ error, ...replaced }, 'what was replaced could not be dropped');
    return kept;
  }
}

/**
 * After a failure: what was made goes. The answer to the commit of the swap may be what was lost, so the server is asked
 * whether it bears our mark; if it does, the restore has happened.
 */
export async function undo(job: RestoreJob, target: RestoreTarget | undefined, caught: unknown): Promise<SwapResult> {
  const { log } = job.context;
  // Its sessions would be in the way, and its programs are dead or dying.
  if (target !== undefined) await close(target, job.context);
  try {
    const { restored, ...replaced } = await cleanUp(job);
    if (restored) {
      log.warn({ error: caught }, 'the restore went live, though its swap reported a failure');
      return told(replaced);
    }
  } catch (error) {
    log.error({ error }, 'what was loaded could not be dropped; the cleanup of the operator tries again');
  }
  throw begun(job.task, caught);
}

/** This very restore went live in an earlier attempt: only what that left to do is done. */
export async function alreadyLive(job: RestoreJob, target: RestoreTarget): Promise<SwapResult> {
  await close(target, job.context);
  job.context.log.info('this restore went live before');
  return told(await cleanUp(job));
}

function told({ previousDatabase, previousDatabases = [] }: Replaced): SwapResult {
  return {
    ...(previousDatabase === undefined ? {} : { previousDatabase }),
    ...(previousDatabases.length === 0 ? {} : { previousDatabases: firstNames(previousDatabases) }),
  };
}

const dropsPrevious = (task: RestoreJob['task']) => task.command === 'swap' && task.dropPrevious;

/** For dropping scratch databases after a failure; well within the pod's grace of a minute. */
const CLEANUP_MS = 40_000;

/** By connections of its own and with a time of its own: the run's signal may be what ended the work. */
function cleanUp({ task, context, login }: RestoreJob): Promise<CleanupOutcome> {
  const { run, database, scratchDatabase, previousDatabase } = task;
  const cleanup: CleanupTask = {
    command: 'cleanup',
    ...{ run, database, scratchDatabase, previousDatabase },
    dropPrevious: dropsPrevious(task),
    keepScratch: false,
  };
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
function begun({ command, run }: RestoreJob['task'], caught: unknown): HoldfastError {
  const {
    reason,
    message,
    hint = OF_THE_SERVER.has(reason) ? whereToLook(command, run) : undefined,
    outlook,
  } = toHoldfastError(caught);
  const after = reason === 'Interrupted' ? outlook : 'final';
  return new HoldfastError(reason, message, { outlook: after, cause: caught, ...(hint === undefined ? {} : { hint }) });
}

/** What a server said no to, and nobody foresaw where there is no hint. */
const OF_THE_SERVER: ReadonlySet<string> = new Set([
  ...['LoadFailed', 'ScratchFailed', 'PropertiesFailed', 'RolesFailed', 'DatabaseError'],
]);

/** A server quotes rows with an error, so only its own log has all of it. */
function whereToLook(command: 'load' | 'swap', run: RunIdentity): string {
  const pods = `kubectl logs --tail=-1 -n ${run.namespace} -l ${LABELS.owner}=${run.uid},${LABELS.command}=${command}`;
  return `the log of the database server has the statement and the details; ${pods} tells what was done before. Then make a new Restore`;
}
