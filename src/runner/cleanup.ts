import type { CleanupResult, CleanupTask } from '../api/task.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { firstNames } from './first-names.ts';
import { readLogin } from './login.ts';

export async function cleanUp(task: CleanupTask, context: RunnerContext): Promise<CleanupResult> {
  const login = await readLogin(context.root, task.database);
  const { previousDatabases, ...outcome } = await context.engine.cleanUp(task, login, engineContext(context, task.run));
  if (previousDatabases === undefined) return outcome;
  return { ...outcome, previousDatabases: firstNames(previousDatabases) };
}
