/**
 * Puts what was loaded in the place of what is live, in one commit. Before that commit nothing of the live databases
 * changes; after it the restore has happened, whatever else goes wrong.
 */
import type { SwapResult, SwapTask } from '../api/task.ts';
import type { RunnerContext } from './context.ts';
import { alreadyLive, keepOrDrop, undo } from './restore-ending.ts';
import { openRestore } from './restore-target.ts';

/** What fails before the swap was tried may be tried again: what was loaded is still there. */
export async function swap(task: SwapTask, context: RunnerContext): Promise<SwapResult> {
  await using restore = await openRestore(task, context);
  const { target, login } = restore;
  const job = { task, context, login };
  const { alreadyRestored } = await target.plan();
  if (alreadyRestored) return await alreadyLive(job, target);
  try {
    return await keepOrDrop(job, target, await target.swap(new Date(task.notAfter)));
  } catch (caught) {
    return await undo(job, target, caught);
  }
}
