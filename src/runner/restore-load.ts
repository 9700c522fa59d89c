/**
 * Loads an archive beside what is live, or adds it to what is live. A failure changes nothing of the live databases, and ends
 * with what was made for it gone.
 */
import { standing } from '../api/force.ts';
import type { LoadResult, LoadTask, ObjectsOutcome } from '../api/task.ts';
import { HoldfastError } from '../lib/errors.ts';
import type { RunnerContext } from './context.ts';
import { readLogin } from './login.ts';
import { toldOf } from './objects.ts';
import { alreadyLive, refusal, undo } from './restore-ending.ts';
import { type OpenLoad, openLoad } from './restore-target.ts';

export async function load(task: LoadTask, context: RunnerContext): Promise<LoadResult> {
  const login = await readLogin(context.root, task.database);
  await using restore = await openLoad(task, login, context);
  const { target } = restore;
  const job = { task, context, login };
  const { notes = [], alreadyRestored, refusals, inPlace = false } = await target.plan();
  for (const note of notes) context.log.info(note);
  if (alreadyRestored) return { live: await alreadyLive(job, target) };
  const inTheWay = standing(refusals, task.force);
  if (inTheWay.length > 0) throw refusal(inTheWay);
  if (task.inPlace === false && inPlace) throw filledSince();
  try {
    if (inPlace) return { live: { objects: await add(restore, context) } };
    await restore.load();
    return await noted(restore, context);
  } catch (caught) {
    return { live: await undo(job, target, caught) };
  }
}

/** What cannot be noted is no reason to throw away what was loaded: the archive is read again. */
async function noted(restore: OpenLoad, { log }: RunnerContext): Promise<LoadResult> {
  try {
    const digest = await restore.note();
    return digest === undefined ? {} : { noted: digest };
  } catch (error) {
    log.warn({ error }, 'what the swap must know of the archive could not be noted on the server');
    return {};
  }
}

/** Whether something is to be saved first, and whether checks can be asked, was decided when there was nothing there. */
function filledSince(): HoldfastError {
  return new HoldfastError(
    'TargetChanged',
    'the target was empty when the restore was planned, and has objects in it now',
    {
      hint: 'see who makes them (an app that migrates as it starts), then make a new Restore: it is planned anew',
    },
  );
}

async function add(restore: OpenLoad, { log }: RunnerContext): Promise<ObjectsOutcome> {
  const report = await restore.addTo();
  for (const label of report.added) log.info({ object: label }, 'added');
  for (const label of report.kept) log.info({ object: label }, 'was there and stayed');
  for (const label of report.replaced) log.info({ object: label }, 'replaced');
  return toldOf(report);
}
