import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import pg from 'pg';
import { HoldfastError } from '../../lib/errors.ts';
import { type Endpoint, methodsOf } from './endpoint.ts';
import { connectFault, proofRefused, sqlStateOf } from './faults.ts';
import { tlsOptions } from './tls.ts';
import { isTlsFault } from './tls-faults.ts';

/** PostgreSQL 13 is the oldest that is still met in the field and that knows DROP DATABASE … WITH (FORCE). */
export const OLDEST_MAJOR = 13;

/** An answer from a healthy server takes milliseconds; a TLS handshake over a bad line a few seconds. */
export const CONNECT_TIMEOUT_S = 15;

/** First keepalive probe on a silent connection. */
const KEEPALIVE_MS = 10_000;

/** How long the server may take to hear a goodbye before the connection is cut. */
const GOODBYE_MS = 2_000;

/** A control connection. Its search_path is pg_catalog, so that nothing in a database can put itself in a query's way. */
export interface Session extends AsyncDisposable {
  /** Rows; errors are those of the `pg` library, with their SQLSTATE in `code`. One statement, or several without values. */
  query<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** `version` as the server says it, such as 17.6 (Debian 17.6-0+deb13u1). */
  readonly server: { readonly version: string; readonly major: number };
  /** The server process as the server itself knows it. */
  readonly pid: number;
  /** The server process as it was announced when we connected; another one than `pid` when a pooler stands in between. */
  readonly announcedPid: number | null;
  /** Aborted, with the cause, when the connection ends and nobody here ended it. */
  readonly lost: AbortSignal;
  /** Cuts the connection at once. */
  destroy(): void;
}

/**
 * Connects as libpq does with the endpoint's TLS mode and methods of authentication. Throws a `retry` HoldfastError, also for
 * a server that lets us in and then answers nothing for `patienceMs`.
 */
export async function connect(
  endpoint: Endpoint,
  signal: AbortSignal,
  patienceMs = CONNECT_TIMEOUT_S * 1000,
): Promise<Session> {
  signal.throwIfAborted();
  try {
    const client = await open(endpoint, signal);
    const timer = setTimeout(() => client.connection.stream.destroy(new Error('timeout expired')), patienceMs);
    return await prepare(client, signal).finally(() => clearTimeout(timer));
  } catch (caught) {
    signal.throwIfAborted();
    throw connectFault(caught, endpoint);
  }
}

async function open(endpoint: Endpoint, signal: AbortSignal): Promise<Client> {
  const { mode } = endpoint.tls;
  if (mode === 'disable') return attempt(endpoint, false, signal);
  try {
    return await attempt(endpoint, true, signal);
  } catch (caught) {
    if (mode !== 'prefer' || signal.aborted || !mayTryWithoutTls(caught)) throw caught;
    return attempt(endpoint, false, signal).catch((second: unknown) => {
      // Turned away both times: what was said to the connection that is preferred says more.
      throw isTurnedAway(caught) && isTurnedAway(second) ? caught : second;
    });
  }
}

/** By pg_hba.conf. */
const isTurnedAway = (caught: unknown) => sqlStateOf(caught) === '28000';

/** A server without TLS, a handshake that fails, or a pg_hba.conf that has no line for TLS. */
function mayTryWithoutTls(caught: unknown): boolean {
  if (!(caught instanceof Error) || caught instanceof HoldfastError) return false;
  return isTlsFault(caught) || isTurnedAway(caught);
}

interface Client {
  readonly client: pg.Client;
  readonly connection: EventEmitter & { stream: Duplex };
}

async function attempt(endpoint: Endpoint, tls: boolean, signal: AbortSignal): Promise<Client> {
  const methods = methodsOf(endpoint);
  const client = new pg.Client({
    host: endpoint.host,
    port: endpoint.port,
    user: endpoint.login.username,
    password: endpoint.login.password,
    database: endpoint.database,
    application_name: endpoint.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_S * 1000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_MS,
    ssl: tls ? tlsOptions(endpoint) : false,
    // As libpq: the proof of the password then holds on this very TLS connection only, so nobody in between can pass it on.
    enableChannelBinding: tls,
  });
  const { connection } = client as unknown as { connection: Client['connection'] };
  const cut = () => connection.stream.destroy(new Error('the connection was cut because the run ends'));
  // An error without a listener would end the process; whoever waits for an answer is told by that answer.
  client.on('error', () => {});
  signal.addEventListener('abort', cut, { once: true });
  try {
    const connected = client.connect();
    guardProof(endpoint, methods, connection);
    await connected;
    return { client, connection };
  } catch (caught) {
    connection.stream.destroy();
    throw caught;
  } finally {
    signal.removeEventListener('abort', cut);
  }
}

/** What each method asks of the client, as an event of `pg`. */
const REQUESTS = {
  authenticationCleartextPassword: 'password',
  authenticationMD5Password: 'md5',
  authenticationSASL: 'scram-sha-256',
} as const;

/** SCRAM with channel binding. */
const BOUND = 'SCRAM-SHA-256-PLUS';

/**
 * libpq has require_auth; `pg` answers whatever it is asked. A server, or somebody in its place, that asks for what it may
 * not have, or for no proof at all, is refused before a byte in answer is sent.
 */
function guardProof(endpoint: Endpoint, methods: ReturnType<typeof methodsOf>, connection: Client['connection']): void {
  let proven = methods.has('cert');
  const refuse = (fault: HoldfastError) => {
    connection.emit('error', fault);
    connection.stream.destroy();
  };
  for (const [event, method] of Object.entries(REQUESTS)) {
    if (methods.has(method)) continue;
    connection.removeAllListeners(event);
    connection.on(event, () => refuse(proofRefused(endpoint, method)));
  }
  connection.on('authenticationSASL', ({ mechanisms }: { readonly mechanisms: readonly string[] }) => {
    // Begun is not proven: a server that asks for SCRAM has yet to show that it knows the password itself.
    proven = false;
    if (endpoint.login.channelBinding === true && !mechanisms.includes(BOUND))
      refuse(proofRefused(endpoint, 'unbound'));
  });
  for (const event of ['authenticationCleartextPassword', 'authenticationMD5Password', 'authenticationSASLFinal']) {
    connection.on(event, () => {
      proven = true;
    });
  }
  connection.on('authenticationOk', () => {
    if (!proven) refuse(proofRefused(endpoint, 'none'));
  });
}

/** What a role or a database may have set to other values, and the server's own patience with us. */
const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  default_transaction_read_only: 'off',
  default_transaction_isolation: 'read committed',
  // Until when a role is valid is read as text, and is put back as text on another server.
  DateStyle: 'ISO',
  client_min_messages: 'error',
  // The server gives up on us, and so frees our locks, about 25 s after this machine fell silent; by default that takes two hours.
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
};

/** Settings that this server does not know are passed over. */
const APPLY_SETTINGS = `
  SELECT pg_catalog.set_config(wanted.key, wanted.value, false)
  FROM pg_catalog.jsonb_each_text($1::pg_catalog.jsonb) wanted
  WHERE EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name OPERATOR(pg_catalog.=) wanted.key)`;

/**
 * In an SQL_ASCII database a name is bytes that need not be text, and asking for it as UTF-8 is an error. Asked for as it
 * is, it comes out with question marks, which is enough to tell people.
 */
const TAKE_BYTES_AS_THEY_ARE = `
  SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)
  WHERE pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.=) 'SQL_ASCII'`;

const IDENTIFY = `
  SELECT pg_catalog.current_setting('server_version') AS version,
         pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog./) 10000 AS major,
         pg_catalog.pg_backend_pid() AS pid`;

async function prepare({ client, connection }: Client, signal: AbortSignal): Promise<Session> {
  const lost = new AbortController();
  let ending = false;
  const destroy = () => {
    ending = true;
    connection.stream.destroy();
  };
  const cut = () => connection.stream.destroy();
  client.on('error', (error) => lost.abort(error));
  client.on('end', () => {
    if (!ending) lost.abort(new Error('the server ended the connection'));
  });
  signal.addEventListener('abort', cut, { once: true });

  try {
    // First and alone: what follows may take longer than a role's statement_timeout allows.
    await client.query('SET statement_timeout = 0');
    await client.query(APPLY_SETTINGS, [JSON.stringify(SESSION_SETTINGS)]);
    await client.query(TAKE_BYTES_AS_THEY_ARE);
    const { rows } = await client.query<{ version: string; major: number; pid: number }>(IDENTIFY);
    const [self] = rows;
    if (self === undefined) throw new Error('the server did not say who it is');
    return {
      query: async <Row>(sql: string, values?: readonly unknown[]) =>
        (values === undefined ? await client.query(sql) : await client.query(sql, [...values])).rows as Row[],
      server: { version: self.version, major: self.major },
      pid: self.pid,
      announcedPid: (client as unknown as { processID: number | null }).processID,
      lost: lost.signal,
      destroy,
      [Symbol.asyncDispose]: async () => {
        ending = true;
        signal.removeEventListener('abort', cut);
        const timer = setTimeout(() => connection.stream.destroy(), GOODBYE_MS);
        await client.end().catch(() => {});
        clearTimeout(timer);
      },
    };
  } catch (caught) {
    destroy();
    throw caught;
  }
}
