/**
 * Puts what was loaded in the place of what is live, in one commit. Before that commit nothing of the live databases
 * changes; after it the restore has happened, whatever else goes wrong.
 */
import type { SwapResult, SwapTask } from '../api/task.ts';
import { HoldfastError } from '../lib/errors.ts';
import type { RunnerContext } from './context.ts';
import { readLogin } from './login.ts';
import { alreadyLive, keepOrDrop, undo } from './restore-ending.ts';
import { openLoaded } from './restore-target.ts';

/** What fails before the swap was tried may be tried again: what was loaded is still there. */
export async function swap(task: SwapTask, context: RunnerContext): Promise<SwapResult> {
  const job = { task, context, login: await readLogin(context.root, task.database) };
  const opened = await openLoaded(task, job.login, context).catch((caught: unknown) => {
    if (isGone(caught)) return caught;
    throw caught;
  });
  if (opened instanceof HoldfastError) return await undo(job, undefined, opened);
  await using restore = opened;
  const { target } = restore;
  const { alreadyRestored } = await target.plan();
  if (alreadyRestored) return await alreadyLive(job, target);
  try {
    return await keepOrDrop(job, target, await target.swap(new Date(task.notAfter)));
  } catch (caught) {
    return await undo(job, target, caught);
  }
}

/** An earlier attempt put it in its place and could not say so, or somebody laid hands on it: the server is asked which. */
function isGone(caught: unknown): caught is HoldfastError {
  return caught instanceof HoldfastError && ['ScratchMissing', 'ScratchChanged'].includes(caught.reason);
}
