/** What is special about the restore of a whole server: missing roles are made, and several databases loaded. */
import type { RestoreBase } from '../api/task.ts';
import type { InstanceContents } from '../archive/contents.ts';
import type { Manifest } from '../archive/manifest.ts';
import type { InstanceRequest, InstanceTarget, Login } from '../engines/engine.ts';
import { HoldfastError } from '../lib/errors.ts';
import { choicesOf } from './choices.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { type LoadJob, loadParts, plainBytes } from './load.ts';
import { together } from './pipeline.ts';

/** `begin`: absent after the plan, when nobody asks what is in the dumps. */
export function openServerTarget(
  task: RestoreBase,
  context: RunnerContext,
  login: Login,
  sourceMajor: number,
  contents: InstanceContents,
  begin?: InstanceRequest['begin'],
): Promise<InstanceTarget> {
  const { run, onConflict, scratchDatabase, database } = task;
  if (task.owner !== undefined) throw oneDatabaseOnly(contents);
  if (onConflict === 'Skip' || task.selection !== undefined) throw partOfOneDatabase(contents);
  const choices = choicesOf(task);
  const request = {
    ...{ ...choices, run, onConflict, scratchDatabase, sourceMajor, contents },
    ...(begin === undefined ? {} : { begin }),
  };
  return context.engine.openInstanceTarget(database, login, request, engineContext(context, run));
}

/** Its databases have owners of their own, and so have its roles: given to one, the server would not be the same any more. */
function oneDatabaseOnly({ databases }: InstanceContents): HoldfastError {
  return new HoldfastError(
    'OwnershipNeedsDatabase',
    'target.postgresql.ownership gives one database to a role, and this restore is of a whole server',
    {
      hint: `name one of its databases in from.database, in a Restore for each: ${databases.map(({ database }) => `"${database}"`).join(', ')}`,
    },
  );
}

/** A server goes live in one commit, which no two databases have in common but by being renamed. */
function partOfOneDatabase({ databases }: InstanceContents): HoldfastError {
  return new HoldfastError(
    'PartNeedsDatabase',
    'include, exclude and onConflict: Skip are about what is in one database, and this restore is of a whole server',
    {
      hint: `name one of its databases in from.database, in a Restore for each: ${databases.map(({ database }) => `"${database}"`).join(', ')}`,
    },
  );
}

export async function loadServer(job: LoadJob, manifest: Manifest, target: InstanceTarget): Promise<void> {
  await target.makeRoles();
  const left = [...target.databases];
  const total = left.reduce((sum, database) => sum + plainBytes(database), 0);
  let before = 0;
  const stop = new AbortController();
  const signal = AbortSignal.any([job.context.signal, stop.signal]);
  const lane = async () => {
    for (let contents = left.shift(); contents !== undefined; contents = left.shift()) {
      signal.throwIfAborted();
      const database = target.database(contents.database);
      await database.createScratch(contents.properties);
      const progress = { total, others: () => before };
      await loadParts({ ...job, context: { ...job.context, signal }, progress }, manifest, contents, () =>
        database.load(),
      );
      before += plainBytes(contents);
    }
  };
  // The first that fails ends the others, and is the one that is told.
  await together(
    stop,
    Array.from({ length: job.task.streams ?? 1 }, () => lane()),
  );
}
