import type { RestoreBase } from '../api/task.ts';
import {
  type Contents,
  type DatabaseContents,
  databasesIn,
  type InstanceContents,
  isInstance,
} from '../archive/contents.ts';
import { HoldfastError } from '../lib/errors.ts';

/** Whether all that is in the archive of a whole server is restored. */
export function isWhole(
  task: Pick<RestoreBase, 'fromDatabase' | 'database'>,
  contents: Contents,
): contents is InstanceContents {
  return isInstance(contents) && task.fromDatabase === undefined && task.database.database === undefined;
}

/** The one database that a restore takes out of an archive. One that is not in it, or that cannot be told, is refused by name. */
export function chosenDatabase(task: Pick<RestoreBase, 'fromDatabase'>, contents: Contents): DatabaseContents {
  const { fromDatabase } = task;
  if (fromDatabase === undefined) {
    if (!isInstance(contents)) return contents;
    throw new HoldfastError(
      'InstanceNeedsDatabase',
      `the archive is of a whole server, with the databases ${namesOf(contents)}`,
      {
        hint: 'make a new Restore that names one of them in from.database, or one without target.postgresql.database that restores all of them',
      },
    );
  }
  const found = databasesIn(contents).find(({ database }) => database === fromDatabase);
  if (found !== undefined) return found;
  throw new HoldfastError(
    'DatabaseNotInArchive',
    `the archive has no database "${fromDatabase}"; it has ${namesOf(contents)}`,
    { hint: 'make a new Restore with the right name in from.database; names are taken letter by letter' },
  );
}

function namesOf(contents: Contents): string {
  return databasesIn(contents)
    .map(({ database }) => `"${database}"`)
    .join(', ');
}
