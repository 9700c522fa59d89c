/** A restore as the operator has it done: load, then swap. */
import type { LoadResult, LoadTask, Report, SwapTask } from '../../src/api/task.ts';

export function loadTask({ dropPrevious: _, noted: __, ...task }: SwapTask): LoadTask {
  return { ...task, command: 'load' };
}

/** What check and swap are told of what the load noted. */
function notedBy(report: Report | undefined): Pick<SwapTask, 'noted'> {
  const noted = report?.ok === true && report.command === 'load' ? (report.result as LoadResult).noted : undefined;
  return noted === undefined ? {} : { noted };
}

/** Ends with the step that failed, or with the swap. */
export async function loadAndSwap<Run extends { readonly report?: Report | undefined }>(
  task: SwapTask,
  run: (task: LoadTask | SwapTask) => Promise<Run>,
): Promise<Run> {
  const loaded = await run(loadTask(task));
  return loaded.report?.ok === true ? run({ ...task, ...notedBy(loaded.report) }) : loaded;
}
