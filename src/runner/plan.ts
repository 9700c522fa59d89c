import type { PlanResult, PlanTask, RestoreBase } from '../api/task.ts';
import type { TargetRequest } from '../engines/engine.ts';
import type { Failure } from '../lib/errors.ts';
import { close } from './close.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { type Archive, examine, orRefusal } from './examine.ts';
import { openStoreBriskly } from './open-store.ts';
import { readIdentities, readLogin } from './secrets.ts';

/** What stands in the way of a restore, all of it at once, as far as it can be seen. Changes nothing. */
export async function plan(task: PlanTask, context: RunnerContext): Promise<PlanResult> {
  const login = await readLogin(context.root, task.database);
  using storage = await openStoreBriskly(task.store, context);
  const { archive, refusals } = await examine(task, storage, () => readIdentities(context.root, task.identity));
  // Without the contents nobody knows what the target must be fit for.
  if (archive === undefined) return { ...NOTHING_SEEN, refusals };

  const more: Failure[] = [];
  const seen = await orRefusal(more, async () => {
    const request = targetRequest(task, archive);
    const target = await context.engine.openTarget(task.database, login, request, engineContext(context, task.run));
    try {
      return await target.plan();
    } finally {
      await close(target, context);
    }
  });
  return { ...NOTHING_SEEN, ...seen, refusals: [...more, ...(seen?.refusals ?? [])], bytesNeeded: plainBytes(archive) };
}

const NOTHING_SEEN = { alreadyRestored: false, server: '', databaseExists: false, objects: 0, bytesNeeded: 0 };

export function targetRequest(task: RestoreBase, { manifest, contents }: Archive): TargetRequest {
  const { run, onConflict, scratchDatabase, previousDatabase } = task;
  return { run, onConflict, scratchDatabase, previousDatabase, sourceMajor: manifest.server.major, contents };
}

function plainBytes({ contents }: Archive): number {
  return contents.parts.reduce((sum, { plain }) => sum + plain.size, 0);
}
