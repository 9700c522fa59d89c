/**
 * The restore of a whole server: missing roles are made, each database is loaded beside the live one, and all of them go
 * live in one commit. Until then nothing of the live databases changes, and every failure ends with the scratch databases
 * and the new roles gone.
 */
import type { RestoreBase, RestoreResult } from '../api/task.ts';
import type { InstanceContents } from '../archive/contents.ts';
import type { Manifest } from '../archive/manifest.ts';
import type { InstanceTarget, Login } from '../engines/engine.ts';
import { close } from './close.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { firstNames } from './first-names.ts';
import { type LoadJob, loadParts, plainBytes } from './load.ts';
import { begun, cleanUp, refusal } from './restore-ending.ts';

export interface InstanceArchive {
  readonly manifest: Manifest;
  readonly contents: InstanceContents;
}

interface ServerJob extends LoadJob {
  readonly login: Login;
  readonly archive: InstanceArchive;
}

export async function restoreServer(job: ServerJob): Promise<RestoreResult> {
  const { task, context, login, archive } = job;
  const target = await openServerTarget(task, context, login, archive);
  try {
    const { notes, ...planned } = await target.plan();
    for (const note of notes) context.log.info(note);
    if (planned.alreadyRestored) return await afterwards(job, target);
    if (planned.refusals.length > 0) throw refusal(planned.refusals);
  } catch (caught) {
    await close(target, context);
    throw caught;
  }
  try {
    await target.makeRoles();
    await loadAll(job, target);
    const { previousDatabases } = await target.swap(new Date(task.notAfter));
    return await keepOrDrop(job, target, previousDatabases);
  } catch (caught) {
    return await undo(job, target, caught);
  } finally {
    await close(target, context);
  }
}

export function openServerTarget(
  task: RestoreBase,
  context: RunnerContext,
  login: Login,
  { manifest, contents }: InstanceArchive,
): Promise<InstanceTarget> {
  const { run, onConflict, scratchDatabase, database } = task;
  const request = { run, onConflict, scratchDatabase, sourceMajor: manifest.server.major, contents };
  return context.engine.openInstanceTarget(database, login, request, engineContext(context, run));
}

async function loadAll(job: ServerJob, target: InstanceTarget): Promise<void> {
  const total = target.databases.reduce((sum, database) => sum + plainBytes(database), 0);
  let before = 0;
  for (const contents of target.databases) {
    const database = target.database(contents.database);
    await database.createScratch(contents.properties);
    await loadParts({ ...job, progress: { before, total } }, job.archive.manifest, contents, () => database.load());
    before += plainBytes(contents);
  }
}

/** The restore is live: previous databases that cannot be dropped are a line in the log, not a failure. */
async function keepOrDrop(
  { task, context }: ServerJob,
  target: InstanceTarget,
  previousDatabases: readonly string[],
): Promise<RestoreResult> {
  if (!task.dropPrevious) return named(previousDatabases);
  try {
    await target.dropPrevious();
    return {};
  } catch (error) {
    context.log.warn({ error, previousDatabases }, 'previous databases could not be dropped');
    return named(previousDatabases);
  }
}

function named(previousDatabases: readonly string[] = []): RestoreResult {
  return previousDatabases.length === 0 ? {} : { previousDatabases: firstNames(previousDatabases) };
}

/** As for one database: the answer to the commit may be what was lost, so the server is asked whether it happened. */
async function undo(job: ServerJob, target: InstanceTarget, caught: unknown): Promise<RestoreResult> {
  const { task, context, login } = job;
  const { log } = context;
  await close(target, context);
  try {
    const { restored, previousDatabases } = await cleanUp(task, context, login);
    if (restored) {
      log.warn({ error: caught }, 'the restore went live, though its swap reported a failure');
      return named(previousDatabases);
    }
  } catch (error) {
    log.error({ error }, 'the scratch databases could not be dropped; the cleanup of the operator tries again');
  }
  throw begun(caught);
}

/** This very restore went live in an earlier attempt: only what that left to do is done. */
async function afterwards({ task, context, login }: ServerJob, target: InstanceTarget): Promise<RestoreResult> {
  await close(target, context);
  context.log.info('this restore went live before');
  return named((await cleanUp(task, context, login)).previousDatabases);
}
