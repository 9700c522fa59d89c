/** Whose turn it is among backups that wait for one database: who came first. Pure. */
import type { Backup } from '../../api/backup.ts';
import { addressOf, type PostgresqlAddress } from '../../api/postgresql.ts';

/** Whether two backups keep each other from the database; one of a whole server keeps all of its databases. */
export function compete(one: Backup, other: Backup): boolean {
  const a = addressOf(one.spec.source.postgresql);
  const b = addressOf(other.spec.source.postgresql);
  if (serverOf(a) !== serverOf(b)) return false;
  return a.database === undefined || b.database === undefined || a.database === b.database;
}

function serverOf({ host, port }: PostgresqlAddress): string {
  return `${host.toLowerCase()}:${port}`;
}

/** The order is total, so that no two wait for each other. Times are in whole seconds, and a schedule's name has its slot. */
export function cameBefore(one: Backup, other: Backup): boolean {
  return rank(one) < rank(other);
}

/** Nothing in a name sorts before the blank, and an RFC 3339 time of the API server has always the same length. */
function rank({ metadata }: Backup): string {
  const { creationTimestamp, name, namespace } = metadata;
  return `${creationTimestamp} ${name} ${namespace}`;
}
