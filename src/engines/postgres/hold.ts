import { isOneDatabase, type ServerAccess } from '../../api/task.ts';
import { HoldfastError } from '../../lib/errors.ts';
import type { EngineContext, Login } from '../engine.ts';
import { connect, OLDEST_MAJOR, type Session } from './connection.ts';
import { type Endpoint, endpointOf } from './endpoint.ts';
import { lockDatabase, lockServer } from './locks.ts';
import { isPooled, refuseTransactionPooler } from './pooler.ts';

/** Often enough that a lost lock is noticed long before a restore can come to its swap. */
const HEARTBEAT_MS = 10_000;

/** A healthy server answers in milliseconds; one that is out of breath gets time. */
const HEARTBEAT_PATIENCE_MS = 20_000;

/** A database, or a whole server, that no other run works on while this lives. */
export interface Hold extends AsyncDisposable {
  /** In the maintenance database. */
  readonly session: Session;
  /** Aborted when the run must end, and when the locks are lost. */
  readonly signal: AbortSignal;
  /** Whether a connection pooler stands between us and the server. */
  readonly pooled: boolean;
  /** Where and how to connect to a database of this server. */
  endpoint(database: string): Endpoint;
}

export async function hold(
  access: ServerAccess,
  login: Login,
  applicationName: string,
  context: EngineContext,
): Promise<Hold> {
  const endpoint = (database: string) => endpointOf(access, login, database, applicationName);
  const maintenance = () => connect(endpoint(access.maintenanceDatabase), context.signal);

  await using stack = new AsyncDisposableStack();
  // A session of its own: a long statement on the other one must not look like a lost lock.
  const lock = stack.use(await maintenance());
  if (lock.server.major < OLDEST_MAJOR) throw tooOld(lock.server.version);
  await refuseTransactionPooler(lock, maintenance);
  await (isOneDatabase(access) ? lockDatabase(lock, access.database) : lockServer(lock));
  const heart = stack.use(watchOver(lock));
  const signal = AbortSignal.any([context.signal, heart.lost]);
  const session = stack.use(await connect(endpoint(access.maintenanceDatabase), signal));
  const owned = stack.move();
  const pooled = isPooled(lock);
  return { session, signal, pooled, endpoint, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Tells when the session that holds the locks is gone, or silent for too long. */
function watchOver(lock: Session): { readonly lost: AbortSignal } & Disposable {
  const lost = new AbortController();
  const giveUp = (cause: unknown) => {
    clearInterval(timer);
    lock.destroy();
    lost.abort(
      new HoldfastError(
        'LockLost',
        'the connection that holds the lock on the database was lost, so the run was ended',
        {
          hint: 'look whether the server restarted or failed over; then start again with a new object',
          cause,
        },
      ),
    );
  };
  let asking = false;
  const beat = async () => {
    if (asking) return;
    asking = true;
    const patience = setTimeout(() => giveUp(new Error('no answer to a heartbeat')), HEARTBEAT_PATIENCE_MS);
    await lock.query('SELECT 1').catch(giveUp);
    clearTimeout(patience);
    asking = false;
  };
  const timer = setInterval(() => void beat(), HEARTBEAT_MS);
  lock.lost.addEventListener('abort', () => giveUp(lock.lost.reason), { once: true });
  return {
    lost: lost.signal,
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function tooOld(version: string): HoldfastError {
  return new HoldfastError(
    'VersionUnsupported',
    `the server is PostgreSQL ${version}; ${OLDEST_MAJOR} is the oldest that works`,
    {
      hint: 'upgrade the server: this version gets no fixes from its makers either',
    },
  );
}
