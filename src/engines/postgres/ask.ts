import { HoldfastError } from '../../lib/errors.ts';
import type { Session } from './connection.ts';
import { sqlStateOf, statementFault } from './faults.ts';

/**
 * The only column of the only row, as text; no row and NULL are the text `NULL`. The question sees the database as an app
 * does, without our own search_path, and cannot change it. Fails with `CheckInvalid` when the database does not understand it.
 */
export async function ask(session: Session, sql: string, timeoutMs: number): Promise<string> {
  const question = sql.trim().replace(/;$/, '');
  try {
    await session.query(
      `RESET search_path; BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = ${Math.max(1, Math.floor(timeoutMs))}`,
    );
    // In a line of its own, so that a comment at its end does not take our words with it.
    const rows = await session.query<{ answer: string | null; more: boolean }>(
      `SELECT answer::pg_catalog.text, pg_catalog.to_jsonb(asked) - 'answer' <> '{}' AS more
       FROM (\n${question}\n) AS asked (answer) LIMIT 2`,
    );
    if (rows.length > 1) throw new HoldfastError('CheckInvalid', 'the query has more than one row');
    if (rows[0]?.more === true) throw new HoldfastError('CheckInvalid', 'the query has more than one column');
    return rows[0]?.answer ?? 'NULL';
  } catch (caught) {
    if (caught instanceof HoldfastError || sqlStateOf(caught) === undefined) throw caught;
    throw statementFault(caught, 'the check', 'CheckInvalid');
  }
}
