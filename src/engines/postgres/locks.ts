import { createHash } from 'node:crypto';
import { notReady } from '../../lib/errors.ts';
import type { Session } from './connection.ts';

/**
 * Advisory locks of a session in the maintenance database. Only here can be seen that two host names are one server.
 *
 * Every operation on one database holds the server's key shared and the database's own key exclusive; an operation on
 * the whole server holds the server's key exclusive. Keys are the first 64 bits of a SHA-256, so that no other
 * program meets them by accident. They are part of the contract with older and newer versions of ourselves.
 */
const SERVER_KEY = lockKey('holdfast/server');
const databaseKey = (database: string) => lockKey(`holdfast/database/${database}`);

/** As a signed 64-bit number, in decimal. */
function lockKey(name: string): string {
  return createHash('sha256').update(name).digest().readBigInt64BE(0).toString();
}

/** Takes the locks or throws a `retry` HoldfastError that says who has them. They die with the session. */
export async function lockDatabase(session: Session, database: string): Promise<void> {
  if (!(await tryLock(session, 'pg_try_advisory_lock_shared', SERVER_KEY))) {
    throw await busy(session, SERVER_KEY, 'the whole server');
  }
  if (!(await tryLock(session, 'pg_try_advisory_lock', databaseKey(database)))) {
    throw await busy(session, databaseKey(database), `database "${database}"`);
  }
}

/** The lock on everything: nobody else works on any database of the server meanwhile. */
export async function lockServer(session: Session): Promise<void> {
  if (await tryLock(session, 'pg_try_advisory_lock', SERVER_KEY)) return;
  throw await busy(session, SERVER_KEY, 'a database of this server, or all of it,');
}

async function tryLock(session: Session, attempt: string, key: string): Promise<boolean> {
  const [row] = await session.query<{ locked: boolean }>(`SELECT ${attempt}($1::int8) AS locked`, [key]);
  return row?.locked === true;
}

/** pg_locks shows a 64-bit key as two halves. The name of a session can be read by every role. */
const HOLDER = `
  SELECT a.application_name AS name, a.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::int8 << 32) | l.objid::int8 = $1::int8 AND l.pid <> pg_backend_pid()
  LIMIT 1`;

async function busy(session: Session, key: string, what: string) {
  const [holder] = await session.query<{ name: string; pid: number }>(HOLDER, [key]);
  const who = holder === undefined ? 'another run' : `${holder.name || 'a session'} (server process ${holder.pid})`;
  return notReady(
    'DatabaseBusy',
    `${what} is in use by ${who}`,
    'one operation at a time works on a database: wait for it',
  );
}
