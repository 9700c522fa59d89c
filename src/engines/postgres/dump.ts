import { HoldfastError } from '../../lib/errors.ts';
import type { Exit } from '../../platform/subprocess.ts';
import type { ReadingProgram, WritingProgram } from '../engine.ts';
import type { Session } from './connection.ts';
import { connectionString, type Libpq } from './libpq.ts';
import { readingProgram, writingProgram } from './programs.ts';
import { identifier } from './sql.ts';
import type { Tools } from './tools.ts';

/** How long pg_dump waits for a table that somebody else holds exclusively, such as a migration that hangs. */
const LOCK_WAIT_MS = 60_000;

export interface DumpJob {
  readonly database: string;
  readonly tools: Tools;
  readonly libpq: Libpq;
  /** In the maintenance database, to ask who was in the way. */
  readonly session: Session;
  readonly signal: AbortSignal;
  /** What to leave out, and how rows are to come back; absent: everything, as pg_dump does by itself. */
  readonly args?: readonly string[];
}

export function dump(job: DumpJob, lockWaitMs = LOCK_WAIT_MS): ReadingProgram {
  return readingProgram({
    command: job.tools.pgDump,
    args: [
      '--format=custom',
      '--compress=0',
      '--no-password',
      `--lock-wait-timeout=${lockWaitMs}`,
      ...(job.args ?? []),
      `--dbname=${connectionString(job.database)}`,
    ],
    env: job.libpq.env,
    signal: job.signal,
    explain: (problem, exit) => dumpFault(job, problem, exit),
  });
}

/** `pg_restore --list` is satisfied with a truncated dump; this is not. */
export function readToEnd(tools: Tools, libpq: Libpq, signal: AbortSignal): WritingProgram {
  return writingProgram({
    command: tools.pgRestore,
    args: ['--format=custom', '--file=/dev/null'],
    env: libpq.env,
    signal,
    explain: (problem) => new HoldfastError('DumpUnreadable', `the dump cannot be read to its end: ${problem}`),
  });
}

async function dumpFault(job: DumpJob, problem: string, exit: Exit): Promise<HoldfastError> {
  if (!/(statement|lock) timeout/.test(exit.stderr))
    return new HoldfastError('DumpFailed', problem, hintFor(exit.stderr, job));
  const blockers = await exclusiveHolders(job.session, job.database).catch(() => []);
  return new HoldfastError(
    'DumpFailed',
    `a table stayed locked for too long${blockers.length === 0 ? '' : ` by ${blockers.join(', ')}`}: ${problem}`,
    { hint: 'end that session, or take the backup when the migration is over' },
  );
}

function hintFor(stderr: string, job: DumpJob): { hint?: string } {
  const role = job.libpq.env['PGUSER'] ?? '';
  if (/row-level security/.test(stderr)) return { hint: `ALTER ROLE ${identifier(role)} BYPASSRLS;` };
  if (/permission denied/.test(stderr)) {
    return { hint: `GRANT pg_read_all_data TO ${identifier(role)}; large objects need GRANT SELECT ON LARGE OBJECT …` };
  }
  return {};
}

const EXCLUSIVE_HOLDERS = `
  SELECT DISTINCT a.pid, coalesce(nullif(a.application_name, ''), 'unnamed') AS name, a.usename AS role
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = $1)`;

async function exclusiveHolders(session: Session, database: string): Promise<readonly string[]> {
  const rows = await session.query<{ pid: number; name: string; role: string }>(EXCLUSIVE_HOLDERS, [database]);
  return rows.map(({ pid, name, role }) => `server process ${pid} (${name}, role "${role}")`);
}
