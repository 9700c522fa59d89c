import type { CheckResult, CheckTask } from '../api/task.ts';
import { runChecks } from './checks.ts';
import type { RunnerContext } from './context.ts';
import { readLogin } from './login.ts';
import { openLoaded } from './restore-target.ts';

/** Asks what was loaded; changes nothing. That a check does not hold is a result, not a failure. */
export async function check(task: CheckTask, context: RunnerContext): Promise<CheckResult> {
  await using restore = await openLoaded(task, await readLogin(context.root, task.database), context);
  return { checks: await runChecks(task.checks, restore.ask) };
}
