import { HoldfastError, messageOf, notReady } from '../../lib/errors.ts';
import type { Endpoint } from './endpoint.ts';
import { identifier } from './sql.ts';

type Explain = (endpoint: Endpoint, said: string) => HoldfastError;

const at = ({ host, port }: Endpoint) => `${host.includes(':') ? `[${host}]` : host}:${port}`;

const unreachable: Explain = (endpoint, said) =>
  notReady(
    'DatabaseUnreachable',
    `no answer from PostgreSQL at ${at(endpoint)}: ${said}`,
    'check host and port, that the server runs, and that a NetworkPolicy lets this namespace reach it',
  );

const notAllowed: Explain = (endpoint, said) =>
  notReady(
    'AuthenticationFailed',
    `PostgreSQL at ${at(endpoint)} does not let role "${endpoint.login.username}" in: ${said}`,
    'check role and password in the Secret, and the lines of pg_hba.conf for this role and database',
  );

/** By SQLSTATE, or by the system's code of an error that happened on the way. */
const EXPLANATIONS: Readonly<Record<string, Explain>> = {
  ENOTFOUND: (endpoint) =>
    notReady(
      'DatabaseUnreachable',
      `host ${endpoint.host} is not known to the cluster's DNS`,
      'check the host for a typing error, and that its Service exists',
    ),
  '28P01': notAllowed,
  '28000': notAllowed,
  '3D000': (endpoint) =>
    notReady(
      'DatabaseNotFound',
      `database "${endpoint.database}" does not exist on the server at ${at(endpoint)}`,
      'check the name; it is taken letter by letter, capitals included',
    ),
  '53300': (endpoint, said) =>
    notReady(
      'TooManyConnections',
      `PostgreSQL at ${at(endpoint)} has no connection left for "${endpoint.database}": ${said}`,
      'raise max_connections or the limit of the database or role, or use fewer connections elsewhere',
    ),
  '57P03': (endpoint, said) =>
    notReady('DatabaseStarting', `PostgreSQL at ${at(endpoint)} takes no connections yet: ${said}`),
  '55000': (endpoint) =>
    notReady(
      'DatabaseClosed',
      `database "${endpoint.database}" takes no connections`,
      `ALTER DATABASE ${identifier(endpoint.database)} ALLOW_CONNECTIONS true;`,
    ),
  '42501': (endpoint, said) =>
    notReady(
      'RightMissing',
      `role "${endpoint.login.username}" may not connect to database "${endpoint.database}": ${said}`,
      `GRANT CONNECT ON DATABASE ${identifier(endpoint.database)} TO ${identifier(endpoint.login.username)};`,
    ),
};

/** Why no connection came about, as a failure that may heal. */
export function connectFault(caught: unknown, endpoint: Endpoint): HoldfastError {
  if (caught instanceof HoldfastError) return caught;
  const said = sayingOf(caught);
  if (said.startsWith('SASL:')) {
    return notAllowed(endpoint, `the proof of the password failed (${said.replace(/^SASL: ?/, '')})`);
  }
  const code = codeOf(caught);
  const explain = (code === undefined ? undefined : EXPLANATIONS[code]) ?? unreachable;
  return explain(endpoint, said);
}

/** SQLSTATE of an error that the server sent, or the system's code of one that never got there. */
export function codeOf(caught: unknown): string | undefined {
  const code = (caught as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** A name with several addresses fails with one error for each of them. */
function sayingOf(caught: unknown): string {
  if (caught instanceof AggregateError && caught.errors.length > 0) return caught.errors.map(messageOf).join('; ');
  const said = messageOf(caught);
  return said === 'timeout expired' ? 'it did not answer in time' : said;
}

/** A statement of ours that failed, in words. What only the network did may heal; what the server refused will not. */
export function statementFault(caught: unknown, doing: string, reason = 'DatabaseError'): HoldfastError {
  if (caught instanceof HoldfastError) return caught;
  const message = `${doing} failed: ${messageOf(caught)}`;
  if (isLostConnection(codeOf(caught))) return notReady('DatabaseUnreachable', message, undefined, caught);
  return new HoldfastError(reason, message, { cause: caught });
}

/** SQLSTATEs have five characters; classes 08 and 57P are lost connections and servers that go down. */
function isLostConnection(code: string | undefined): boolean {
  return code === undefined || !/^[0-9A-Z]{5}$/.test(code) || code.startsWith('08') || code.startsWith('57P');
}

/** Does something that needs the database; whatever fails comes out as a HoldfastError that says at what. */
export async function attempting<T>(doing: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (caught) {
    if (signal.aborted) throw interruption(signal.reason);
    throw statementFault(caught, doing);
  }
}

/** Why the run was ended, where its signal says so. */
export function interruption(reason: unknown): HoldfastError {
  if (reason instanceof HoldfastError) return reason;
  return new HoldfastError('Interrupted', `the run was ended: ${messageOf(reason)}`, { cause: reason });
}
