import { setTimeout as sleep } from 'node:timers/promises';
import type { Session } from './connection.ts';
import { codeOf } from './faults.ts';

/** A client that reconnects at once is met again this soon. */
const ROUND_MS = 25;

/** Ends what we have the right to end. A worker without a role, such as autovacuum, makes way for a rename by itself. */
const END_ALL = `
  SELECT pg_terminate_backend(a.pid)
  FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
  WHERE a.datid = ANY ($1::oid[]) AND a.pid <> pg_backend_pid() AND (
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    OR (NOT r.rolsuper AND (pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))))`;

/** Ends the sessions of databases, and those that come after them, until told to stop. */
export async function endSessionsUntil(
  session: Session,
  databaseOids: readonly string[],
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    await session.query(END_ALL, [databaseOids]).catch((caught: unknown) => {
      // A session that changed its role in this instant; the next round sees it as it is.
      if (codeOf(caught) !== '42501') throw caught;
    });
    await sleep(ROUND_MS, undefined, { signal: stop }).catch(() => {});
  }
}

/** The sessions of a database as a sentence for people. */
export async function sessionsOf(session: Session, databaseOid: string): Promise<readonly string[]> {
  const rows = await session.query<{ pid: number; name: string; role: string | null }>(
    `SELECT pid, coalesce(nullif(application_name, ''), 'unnamed') AS name, usename AS role
     FROM pg_stat_activity WHERE datid = $1::oid ORDER BY pid LIMIT 5`,
    [databaseOid],
  );
  return rows.map(({ pid, name, role }) => `${name} of role "${role ?? 'none'}" (server process ${pid})`);
}
