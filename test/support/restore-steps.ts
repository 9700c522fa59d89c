/** A restore as the operator has it done: load, then swap. */
import type { LoadTask, Report, SwapTask } from '../../src/api/task.ts';

export function loadTask({ dropPrevious: _, ...task }: SwapTask): LoadTask {
  return { ...task, command: 'load' };
}

/** Ends with the step that failed, or with the swap. */
export async function loadAndSwap<Run extends { readonly report?: Report | undefined }>(
  task: SwapTask,
  run: (task: LoadTask | SwapTask) => Promise<Run>,
): Promise<Run> {
  const loaded = await run(loadTask(task));
  return loaded.report?.ok === true ? run(task) : loaded;
}
