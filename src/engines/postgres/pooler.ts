import { HoldfastError } from '../../lib/errors.ts';
import type { Session } from './connection.ts';

/** One round would do with every pooler we know; more cost nothing and cover one that takes turns among its connections. */
const ROUNDS = 5;

/**
 * A pooler in transaction mode gives each transaction to whatever server session is free: our locks would belong to
 * nobody, and the snapshot of a dump to somebody else. Where the server's process is the announced one, nothing stands in
 * between. Otherwise a second client begins a transaction, which in that mode either gets the first client's server
 * session or leaves the first client with another one.
 */
export async function refuseTransactionPooler(session: Session, another: () => Promise<Session>): Promise<void> {
  if (session.announcedPid === session.pid) return;
  await using second = await another();
  for (let round = 0; round < ROUNDS; round += 1) {
    await second.query('BEGIN');
    const theirs = await backendOf(second);
    const ours = await backendOf(session);
    await second.query('COMMIT');
    if (theirs === session.pid || ours !== session.pid) throw refusal();
  }
}

async function backendOf(session: Session): Promise<number | undefined> {
  const [row] = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return row?.pid;
}

function refusal(): HoldfastError {
  return new HoldfastError(
    'PoolerInTransactionMode',
    'the address is that of a connection pooler in transaction mode, where locks and snapshots do not hold',
    { hint: 'name the host and port of PostgreSQL itself, or of a pool in session mode' },
  );
}
