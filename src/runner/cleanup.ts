import type { CleanupResult, CleanupTask } from '../api/task.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { readLogin } from './secrets.ts';

export async function cleanUp(task: CleanupTask, context: RunnerContext): Promise<CleanupResult> {
  const login = await readLogin(context.root, task.database);
  return context.engine.cleanUp(task, login, engineContext(context, task.run));
}
