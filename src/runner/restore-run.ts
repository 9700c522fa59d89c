/**
 * The course of a restore, of one database or of a whole server: plan, load beside what is live, go live in one commit.
 * Before that commit nothing of the live databases changes, and every failure ends with what was made for it gone.
 * After it the restore has happened, whatever else goes wrong.
 */
import type { RestoreResult } from '../api/task.ts';
import { close } from './close.ts';
import { afterwards, keepOrDrop, type RestoreJob, type RestoreTarget, refusal, undo } from './restore-ending.ts';

/** `load` is where scratch databases, and all that the swap needs, are made and filled. Closes the target in any case. */
export async function runRestore(
  job: RestoreJob,
  target: RestoreTarget,
  load: () => Promise<void>,
): Promise<RestoreResult> {
  const { task, context } = job;
  try {
    const { notes = [], alreadyRestored, refusals } = await target.plan();
    for (const note of notes) context.log.info(note);
    if (alreadyRestored) return await afterwards(job, target);
    if (refusals.length > 0) throw refusal(refusals);
  } catch (caught) {
    await close(target, context);
    throw caught;
  }
  try {
    await load();
    return await keepOrDrop(job, target, await target.swap(new Date(task.notAfter)));
  } catch (caught) {
    return await undo(job, target, caught);
  } finally {
    await close(target, context);
  }
}
