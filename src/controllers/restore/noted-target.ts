/** Where a restore goes, as its status says it: what needs the place later need not ask who told it first. Pure. */
import { entrySpecOf } from '../../api/postgresql.ts';
import type { RestoreStatus } from '../../api/restore.ts';
import type { ServerAccess } from '../../api/task.ts';
import { sourceAccessOf } from '../access.ts';

type Noted = NonNullable<RestoreStatus['target']>;

export function notedTarget(access: ServerAccess): Noted {
  const { host, port, database, maintenanceDatabase } = access;
  const place = { host, port, maintenanceDatabase, ...(database === undefined ? {} : { database }) };
  return { postgresql: { ...place, ...entrySpecOf(access) } };
}

/** Which databases a URI may name is no matter any more: the one that is meant is known. */
export function accessOfNoted({ postgresql }: Noted): ServerAccess {
  const { database, ...server } = postgresql;
  return {
    ...sourceAccessOf({ ...server, scope: 'Instance' }),
    ...(database === undefined ? {} : { database }),
  };
}
