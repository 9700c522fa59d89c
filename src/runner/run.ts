import { EXIT_CODES, type Report, type ResultOf, type Task } from '../api/task.ts';
import { HoldfastError, toHoldfastError } from '../lib/errors.ts';
import { backup } from './backup.ts';
import { catalog } from './catalog.ts';
import { cleanUp } from './cleanup.ts';
import type { RunnerContext } from './context.ts';
import { drill, examineAlone } from './drill.ts';
import { plan } from './plan.ts';
import { probe } from './probe.ts';
import { prune } from './prune.ts';
import { exitCodeOf } from './report.ts';
import { check } from './restore-check.ts';
import { load } from './restore-load.ts';
import { swap } from './restore-swap.ts';
import { planUndo, swapBack } from './restore-undo.ts';

export interface Outcome {
  readonly report: Report;
  readonly exitCode: number;
}

/** Does what the task says. Never throws: whatever happens is in the report. */
export async function runTask(task: Task, context: RunnerContext): Promise<Outcome> {
  const { command } = task;
  try {
    const result = await perform(task, context);
    return { report: { command, ok: true, result } as Report, exitCode: EXIT_CODES.ok };
  } catch (caught) {
    context.log.error({ error: caught }, `the ${command} failed`);
    return failed(command, whyItEnded(caught, context.signal));
  }
}

export function failed(command: Task['command'], error: HoldfastError): Outcome {
  const report: Report = { command, ok: false, retry: error.outlook === 'retry', failure: error.toFailure() };
  return { report, exitCode: exitCodeOf(error) };
}

/** Why the run was ended, if it was: what then fails, in whatever way, fails for that. */
function whyItEnded(caught: unknown, signal: AbortSignal): HoldfastError {
  return toHoldfastError(signal.aborted && signal.reason instanceof HoldfastError ? signal.reason : caught);
}

async function perform(task: Task, context: RunnerContext): Promise<ResultOf[Task['command']]> {
  switch (task.command) {
    case 'probe':
      return probe(task, context);
    case 'backup':
      return backup(task, context);
    case 'plan':
      return 'undone' in task ? planUndo(task, context) : plan(task, context);
    case 'load':
      return load(task, context);
    case 'check':
      return check(task, context);
    case 'swap':
      return 'undone' in task ? swapBack(task, context) : swap(task, context);
    case 'cleanup':
      return cleanUp(task, context);
    case 'catalog':
      return catalog(task, context);
    case 'prune':
      return prune(task, context);
    case 'examine':
      return examineAlone(task, context);
    case 'drill':
      return drill(task, context);
    default:
      return task satisfies never;
  }
}
