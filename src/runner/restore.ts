/**
 * One restore: the archive into a scratch database, and the scratch database into the live one's place in one commit.
 * Before that commit nothing of the live database changes, and every failure ends with the scratch database dropped.
 * After it the restore has happened, whatever else goes wrong.
 */
import type { RestoreResult, RestoreTask } from '../api/task.ts';
import type { Login, Target } from '../engines/engine.ts';
import { chosenDatabase, isWhole } from './chosen.ts';
import { close } from './close.ts';
import type { RunnerContext } from './context.ts';
import { type Archive, examine } from './examine.ts';
import { type LoadJob, loadParts } from './load.ts';
import { readLogin } from './login.ts';
import { openStore } from './open-store.ts';
import { openOneTarget } from './plan.ts';
import { begun, cleanUp, refusal } from './restore-ending.ts';
import { restoreServer } from './restore-instance.ts';
import { readIdentities } from './secrets.ts';

export async function restore(task: RestoreTask, context: RunnerContext): Promise<RestoreResult> {
  const login = await readLogin(context.root, task.database);
  const identities = await readIdentities(context.root, task.identity);
  using storage = await openStore(task.store, context);
  const { archive, refusals } = await examine(task, storage, async () => identities);
  if (archive === undefined) throw refusal(refusals);
  const { manifest, contents } = archive;
  if (isWhole(task, contents)) {
    return restoreServer({ task, context, login, identities, storage, archive: { manifest, contents } });
  }

  const target = await openOneTarget(task, context, login, archive);
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

async function load(job: LoadJob & { readonly target: Target; readonly archive: Archive }): Promise<void> {
  const { target } = job;
  const contents = chosenDatabase(job.task, job.archive.contents);
  await target.createScratch(contents.properties);
  await loadParts(job, job.archive.manifest, contents, () => target.load());
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
