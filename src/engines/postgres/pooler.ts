import { HoldfastError } from '../../lib/errors.ts';
import type { Session } from './connection.ts';

/** One round would do with every pooler we know; more cost nothing and cover one that takes turns among its connections. */
const ROUNDS = 5;

/** Where the server's process is the announced one, nothing stands in between. */
export function isPooled({ announcedPid, pid }: Session): boolean {
  return announcedPid !== pid;
}

/**
 * A pooler in transaction mode gives each transaction to whatever server session is free: our locks would belong to
 * nobody, and the snapshot of a dump to somebody else. A second client begins a transaction, which in that mode either gets
 * the first client's server session or leaves the first client with another one.
 */
export async function refuseTransactionPooler(session: Session, another: () => Promise<Session>): Promise<void> {
  if (!isPooled(session)) return;
  await using second = await another();
  for (let round = 0; round < ROUNDS; round += 1) {
    if (await sharesSessions(session, second)) throw refusal();
  }
}

async function sharesSessions(session: Session, second: Session): Promise<boolean> {
  try {
    await second.query('BEGIN');
  } catch {
    // In statement mode there are no transactions at all.
    return true;
  }
  try {
    // Asked first: with a pool of one, the first client would wait for the second one's transaction for ever.
    if ((await backendOf(second)) === session.pid) return true;
    // Twice: a pooler that takes turns could give us the same server session once in every round, but not twice.
    return (await backendOf(session)) !== session.pid || (await backendOf(session)) !== session.pid;
  } finally {
    await second.query('ROLLBACK');
  }
}

async function backendOf(session: Session): Promise<number | undefined> {
  const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return row?.pid;
}

function refusal(): HoldfastError {
  return new HoldfastError(
    'PoolerInTransactionMode',
    'the address is that of a connection pooler in transaction or statement mode, where locks and snapshots do not hold',
    { hint: 'name the host and port of PostgreSQL itself, or of a pool in session mode' },
  );
}
