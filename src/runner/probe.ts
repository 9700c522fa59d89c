import type { ProbeResult, ProbeTask } from '../api/task.ts';
import { probeStorage } from '../storage/probe.ts';
import type { RunnerContext } from './context.ts';
import { openStoreBriskly } from './open-store.ts';

export async function probe(task: ProbeTask, context: RunnerContext): Promise<ProbeResult> {
  using storage = await openStoreBriskly(task.store, context);
  return await probeStorage(storage, task.store.prefix);
}
