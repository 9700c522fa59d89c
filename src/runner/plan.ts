import type { PlanResult, PlanTask, RestoreBase } from '../api/task.ts';
import type { InstancePlan, InstanceTarget, Login, Target, TargetPlan, TargetRequest } from '../engines/engine.ts';
import type { Failure } from '../lib/errors.ts';
import { chosenDatabase, isWhole } from './chosen.ts';
import { close } from './close.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { type Archive, examine, orRefusal } from './examine.ts';
import { plainBytes } from './load.ts';
import { readLogin } from './login.ts';
import { openStoreBriskly } from './open-store.ts';
import { openServerTarget } from './restore-instance.ts';
import { readIdentities } from './secrets.ts';

/** What stands in the way of a restore, all of it at once, as far as it can be seen. Changes nothing. */
export async function plan(task: PlanTask, context: RunnerContext): Promise<PlanResult> {
  const login = await readLogin(context.root, task.database);
  using storage = await openStoreBriskly(task.store, context);
  const { archive, refusals } = await examine(task, storage, () => readIdentities(context.root, task.identity));
  // Without the contents nobody knows what the target must be fit for.
  if (archive === undefined) return { ...NOTHING_SEEN, refusals };

  const { manifest, contents } = archive;
  const whole = isWhole(task, contents) ? { manifest, contents } : undefined;
  const more: Failure[] = [];
  const seen = await orRefusal(more, async () => {
    const target =
      whole === undefined
        ? await openOneTarget(task, context, login, archive)
        : await openServerTarget(task, context, login, whole);
    try {
      const planned: TargetPlan & Partial<InstancePlan> = await target.plan();
      return { ...planned, bytesNeeded: bytesNeeded(task, archive, target) };
    } finally {
      await close(target, context);
    }
  });
  for (const note of seen?.notes ?? []) context.log.info(note);
  return { ...NOTHING_SEEN, ...seen, refusals: [...more, ...(seen?.refusals ?? [])] };
}

const NOTHING_SEEN = { alreadyRestored: false, server: '', databaseExists: false, objects: 0, bytesNeeded: 0 };

/** The target of the one database that is restored. */
export async function openOneTarget(
  task: RestoreBase,
  context: RunnerContext,
  login: Login,
  archive: Archive,
): Promise<Target> {
  const request = targetRequest(task, archive);
  const database = { ...task.database, database: task.database.database ?? request.contents.database };
  return context.engine.openTarget(database, login, request, engineContext(context, task.run));
}

function targetRequest(task: RestoreBase, { manifest, contents }: Archive): TargetRequest {
  const { run, onConflict, scratchDatabase, previousDatabase } = task;
  return {
    run,
    onConflict,
    scratchDatabase,
    previousDatabase,
    sourceMajor: manifest.server.major,
    contents: chosenDatabase(task, contents),
  };
}

function bytesNeeded(task: RestoreBase, { contents }: Archive, target: Target | InstanceTarget): number {
  const databases = 'databases' in target ? target.databases : [chosenDatabase(task, contents)];
  return databases.reduce((sum, database) => sum + plainBytes(database), 0);
}
