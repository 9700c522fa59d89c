/**
 * One restore: the archive into a scratch database, and the scratch database into the live one's place in one commit.
 * Before that commit nothing of the live database changes, and every failure ends with the scratch database dropped.
 * After it the restore has happened, whatever else goes wrong.
 */
import type { CleanupTask, RestoreResult, RestoreTask } from '../api/task.ts';
import type { Login, Target } from '../engines/engine.ts';
import { HoldfastError, toHoldfastError } from '../lib/errors.ts';
import type { Storage } from '../storage/storage.ts';
import { close } from './close.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { type Archive, examine } from './examine.ts';
import { openStore } from './open-store.ts';
import { targetRequest } from './plan.ts';
import { withProgress } from './progress.ts';
import { readIdentities, readLogin } from './secrets.ts';
import { readPart } from './segments.ts';
import { Meter } from './stages/meter.ts';
import { unpack } from './unpack.ts';

/** For dropping the scratch database after a failure; well within the pod's grace of a minute. */
const CLEANUP_MS = 40_000;

export async function restore(task: RestoreTask, context: RunnerContext): Promise<RestoreResult> {
  const login = await readLogin(context.root, task.database);
  const identities = await readIdentities(context.root, task.identity);
  using storage = await openStore(task.store, context);
  const { archive, refusals } = await examine(task, storage, async () => identities);
  if (archive === undefined) throw refusal(refusals);

  const target = await openTarget(task, context, login, archive);
  try {
    const planned = await target.plan();
    if (planned.alreadyRestored) return await afterwards(task, context, login, target);
    if (planned.refusals.length > 0) throw refusal(planned.refusals);
  } catch (caught) {
    await close(target, context);
    throw caught;
  }
  try {
    await load({ task, context, storage, target, archive, identities });
    const { previousDatabase } = await target.swap(new Date(task.notAfter));
    return await keepOrDrop(task, context, target, previousDatabase);
  } catch (caught) {
    return await undo(task, context, login, target, caught);
  } finally {
    await close(target, context);
  }
}

function openTarget(task: RestoreTask, context: RunnerContext, login: Login, archive: Archive): Promise<Target> {
  const request = targetRequest(task, archive);
  return context.engine.openTarget(task.database, login, request, engineContext(context, task.run));
}

async function load(job: {
  readonly task: RestoreTask;
  readonly context: RunnerContext;
  readonly storage: Storage;
  readonly target: Target;
  readonly archive: Archive;
  readonly identities: readonly string[];
}): Promise<void> {
  const { context, target } = job;
  const { manifest, contents } = job.archive;
  await target.createScratch(contents.properties);
  for (const { part, plain } of contents.parts) {
    const segments = manifest.segments.filter((segment) => segment.part === part);
    const meter = new Meter();
    await withProgress(
      context.log,
      'load',
      () => ({ bytes: meter.size, totalBytes: plain.size }),
      () =>
        unpack({
          read: (signal) => readPart(job.storage, job.task.archive.folder, segments, signal),
          identities: job.identities,
          plain,
          start: () => target.load(),
          signal: context.signal,
          meter,
        }),
    );
  }
}

/** The restore is live: a previous database that cannot be dropped is a line in the log, not a failure. */
async function keepOrDrop(
  task: RestoreTask,
  context: RunnerContext,
  target: Target,
  previousDatabase: string | undefined,
): Promise<RestoreResult> {
  if (previousDatabase === undefined) return {};
  if (!task.dropPrevious) return { previousDatabase };
  try {
    await target.dropPrevious();
    return {};
  } catch (error) {
    context.log.warn({ error, previousDatabase }, 'the previous database could not be dropped');
    return { previousDatabase };
  }
}

/**
 * After a failure: the scratch database goes. The answer to the commit of the swap may be what was lost, so the database
 * is asked whether it bears our marker; if it does, the restore has happened.
 */
async function undo(
  task: RestoreTask,
  context: RunnerContext,
  login: Login,
  target: Target,
  caught: unknown,
): Promise<RestoreResult> {
  const { log } = context;
  // Its sessions would be in the way, and its programs are dead or dying.
  await close(target, context);
  try {
    const { restored, ...result } = await cleanUp(task, context, login);
    if (restored) {
      log.warn({ error: caught }, 'the restore went live, though its swap reported a failure');
      return result;
    }
  } catch (error) {
    log.error({ error }, 'the scratch database could not be dropped; the cleanup of the operator tries again');
  }
  throw begun(caught);
}

/** This very restore went live in an earlier attempt: only what that left to do is done. */
async function afterwards(
  task: RestoreTask,
  context: RunnerContext,
  login: Login,
  target: Target,
): Promise<RestoreResult> {
  await close(target, context);
  context.log.info('this restore went live before');
  const { previousDatabase } = await cleanUp(task, context, login);
  return previousDatabase === undefined ? {} : { previousDatabase };
}

/** By connections of its own and with a time of its own: the run's signal may be what ended the work. */
function cleanUp(
  task: RestoreTask,
  context: RunnerContext,
  login: Login,
): ReturnType<RunnerContext['engine']['cleanUp']> {
  const { run, database, scratchDatabase, previousDatabase, dropPrevious } = task;
  const cleanup: CleanupTask = { command: 'cleanup', run, database, scratchDatabase, previousDatabase, dropPrevious };
  const engine = engineContext(context, run);
  return context.engine.cleanUp(cleanup, login, { ...engine, signal: AbortSignal.timeout(CLEANUP_MS) });
}

function refusal([first, ...others]: readonly { reason: string; message: string; hint?: string }[]): HoldfastError {
  const more =
    others.length === 0 ? '' : ` (and ${others.length} more: ${others.map(({ reason }) => reason).join(', ')})`;
  const { reason = 'Refused', message = 'the restore is refused', hint } = first ?? {};
  return new HoldfastError(reason, `${message}${more}`, hint === undefined ? {} : { hint });
}

/** The work was begun and undone. Trying the same again blindly is for the operator to decide, unless the run was merely ended. */
function begun(caught: unknown): HoldfastError {
  const { reason, message, hint, outlook } = toHoldfastError(caught);
  const after = reason === 'Interrupted' ? outlook : 'final';
  return new HoldfastError(reason, message, { outlook: after, cause: caught, ...(hint === undefined ? {} : { hint }) });
}
