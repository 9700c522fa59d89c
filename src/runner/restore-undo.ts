/** A restore that is undone: what it replaced goes live again. Nothing is read but the target. */
import type { PlanResult, SwapResult, UndoPlanTask, UndoSwapTask } from '../api/task.ts';
import type { Login, UndoTarget } from '../engines/engine.ts';
import type { Failure } from '../lib/errors.ts';
import { close } from './close.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { orRefusal } from './examine.ts';
import { readLogin } from './login.ts';
import { alreadyLive, keepOrDrop, undo } from './restore-ending.ts';

export async function planUndo(task: UndoPlanTask, context: RunnerContext): Promise<PlanResult> {
  const login = await readLogin(context.root, task.database);
  const more: Failure[] = [];
  const seen = await orRefusal(more, async () => {
    const target = await open(task, login, context);
    try {
      return await target.plan();
    } finally {
      await close(target, context);
    }
  });
  for (const note of seen?.notes ?? []) context.log.info(note);
  return { ...NOTHING_SEEN, ...seen, refusals: [...more, ...(seen?.refusals ?? [])] };
}

/** Nothing is loaded, so no disk is needed. */
const NOTHING_SEEN = { alreadyRestored: false, server: '', databaseExists: false, objects: 0, bytesNeeded: 0 };

export async function swapBack(task: UndoSwapTask, context: RunnerContext): Promise<SwapResult> {
  const login = await readLogin(context.root, task.database);
  const target = await open(task, login, context);
  const job = { task, context, login };
  try {
    const { alreadyRestored } = await target.plan();
    if (alreadyRestored) return await alreadyLive(job, target);
    return await goLive(job, target);
  } finally {
    await close(target, context);
  }
}

async function goLive(job: Parameters<typeof undo>[0] & { task: UndoSwapTask }, target: UndoTarget) {
  try {
    return await keepOrDrop(job, target, await target.swap(new Date(job.task.notAfter)));
  } catch (caught) {
    return await undo(job, target, caught);
  }
}

function open(task: UndoPlanTask | UndoSwapTask, login: Login, context: RunnerContext): Promise<UndoTarget> {
  const { run, undone } = task;
  return context.engine.openUndo(task.database, login, { run, undone }, engineContext(context, run));
}
