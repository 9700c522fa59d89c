import pg from 'pg';
import { HoldfastError, messageOf, notReady } from '../../lib/errors.ts';
import { DISK_FULL } from './disk.ts';
import { type Endpoint, methodsOf, shownAddress } from './endpoint.ts';
import { identifier } from './sql.ts';
import { explainTls, isTlsFault } from './tls-faults.ts';

type Explain = (endpoint: Endpoint, said: string) => HoldfastError;

const unreachable: Explain = (endpoint, said) =>
  notReady(
    'DatabaseUnreachable',
    `no answer from PostgreSQL at ${shownAddress(endpoint)}: ${said}`,
    'check host and port, that the server runs, and that a NetworkPolicy lets this namespace reach it',
  );

/** It did answer, if only to say no. */
const turnedAway: Explain = (endpoint, said) =>
  notReady(
    'ConnectionRefused',
    `PostgreSQL at ${shownAddress(endpoint)} did not let us connect: ${said}`,
    'the log of the server, or of the pooler before it, may say more',
  );

const notAllowed: Explain = (endpoint, said) =>
  notReady(
    'AuthenticationFailed',
    `PostgreSQL at ${shownAddress(endpoint)} does not let role "${endpoint.login.username}" in: ${said}`,
    notAllowedHint(endpoint, said),
  );

function notAllowedHint({ tls, login }: Endpoint, said: string): string {
  if (/valid client certificate/.test(said)) {
    return login.certificate === undefined
      ? 'name a certificate for the role in tls.clientCertSecretRef'
      : 'let the authority that the server trusts (ssl_ca_file) sign the certificate in tls.clientCertSecretRef';
  }
  if (/certificate authentication failed/.test(said))
    return "the certificate's common name must be the role's name, or pg_ident.conf must map it";
  if (/no encryption/.test(said) && tls.mode === 'disable')
    return 'pg_hba.conf may let this role in with TLS only: set tls.mode';
  return 'check role and password in the Secret, and the lines of pg_hba.conf for this role and database';
}

/** The server asks for what it may not have, before anything was sent in answer. `none`: it let us in without asking. */
export function proofRefused(
  endpoint: Endpoint,
  asked: 'scram-sha-256' | 'md5' | 'password' | 'none' | 'unbound' | 'other',
): HoldfastError {
  const where = `PostgreSQL at ${shownAddress(endpoint)}`;
  const wanted = [...methodsOf(endpoint)].join(' or ');
  const [message, hint] = {
    password: [
      'asks for the password in clear text, so it was not sent',
      "let pg_hba.conf ask this role for scram-sha-256 instead of 'password', 'ldap', 'pam' or 'radius'; where that cannot be, authentication: [password] with tls.mode verify-full sends it",
    ],
    none: [
      'let us in without asking for the password, so it may not be the one that is meant',
      "let pg_hba.conf ask this role for scram-sha-256 instead of 'trust'; for 'cert' say authentication: [cert]",
    ],
    md5: [`asks for an MD5 hash of the password, and only ${wanted} is allowed`, MEET],
    'scram-sha-256': [`asks for SCRAM, and only ${wanted} is allowed`, MEET],
    unbound: [
      'does not offer SCRAM with channel binding, which the URI in the Secret demands',
      'where a pooler stands in between that cannot do it, take channel_binding out of the URI',
    ],
    other: [`asks for a proof that we do not give (${wanted} is allowed)`, MEET],
  }[asked] as [string, string];
  return notReady('AuthenticationRefused', `${where} ${message}`, hint);
}

/** The server says so when the proof was made for another certificate than its own. */
function relayed(endpoint: Endpoint): HoldfastError {
  return notReady(
    'TlsFailed',
    `the TLS connection does not end at PostgreSQL at ${shownAddress(endpoint)}, but before it`,
    'a proxy that ends TLS, or somebody who listens, stands in between: name the server itself, or let the proxy pass TLS through',
  );
}

function unbindable(endpoint: Endpoint): HoldfastError {
  return notReady(
    'TlsFailed',
    `the certificate of PostgreSQL at ${shownAddress(endpoint)} is signed in a way that SCRAM cannot bind a proof to`,
    'let it be signed with RSA or ECDSA',
  );
}

const MEET = 'let pg_hba.conf ask this role for one of these, or name the other in authentication';

/** By SQLSTATE, or by the system's code of an error that happened on the way. */
const EXPLANATIONS: Readonly<Record<string, Explain>> = {
  ENOTFOUND: (endpoint) =>
    notReady(
      'DatabaseUnreachable',
      `host ${endpoint.host} is not known to the cluster's DNS`,
      'check the host for a typing error, and that its Service exists',
    ),
  EAI_AGAIN: (endpoint) =>
    notReady(
      'DatabaseUnreachable',
      `host ${endpoint.host} is not known: the cluster's DNS has no answer for it (EAI_AGAIN)`,
      "check the host for a typing error, and that its Service exists; if both are well, see whether the cluster's DNS is",
    ),
  '28P01': notAllowed,
  '28000': notAllowed,
  '3D000': (endpoint) =>
    notReady(
      'DatabaseNotFound',
      `database "${endpoint.database}" does not exist on the server at ${shownAddress(endpoint)}`,
      'check the name; it is taken letter by letter, capitals included',
    ),
  '53300': (endpoint, said) =>
    notReady(
      'TooManyConnections',
      `PostgreSQL at ${shownAddress(endpoint)} has no connection left for "${endpoint.database}": ${said}`,
      'raise max_connections or the limit of the database or role, or use fewer connections elsewhere',
    ),
  '57P03': (endpoint, said) =>
    notReady('DatabaseStarting', `PostgreSQL at ${shownAddress(endpoint)} takes no connections yet: ${said}`),
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
  // What `pg` makes of GSSAPI, SSPI, and of SASL with other mechanisms than SCRAM.
  if (/authenticationOk message type|^SASL: Only mechanism/.test(said)) return proofRefused(endpoint, 'other');
  if (said.startsWith('SASL:')) {
    return notAllowed(endpoint, `the proof of the password failed (${said.replace(/^SASL: ?/, '')})`);
  }
  if (isTlsFault(caught)) return explainTls(caught, endpoint);
  if (/channel binding check failed/.test(said)) return relayed(endpoint);
  // `pg` quotes the whole certificate.
  if (said.startsWith('SASL channel binding')) return unbindable(endpoint);
  // PgBouncer has no SQLSTATE of its own for it.
  if (sqlStateOf(caught) === '08P01' && /authentication failed/.test(said)) return notAllowed(endpoint, said);
  const explain = EXPLANATIONS[codeOf(caught) ?? ''] ?? (sqlStateOf(caught) === undefined ? unreachable : turnedAway);
  return explain(endpoint, said);
}

/** SQLSTATE of an error that the server sent, or the system's code of one that never got there. */
export function codeOf(caught: unknown): string | undefined {
  const code = (caught as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Of an error that the server sent. Its form alone would not do: EPIPE looks like one, too. */
export function sqlStateOf(caught: unknown): string | undefined {
  return caught instanceof pg.DatabaseError ? caught.code : undefined;
}

/** A name with several addresses fails with one error for each of them. */
function sayingOf(caught: unknown): string {
  if (caught instanceof AggregateError && caught.errors.length > 0) return caught.errors.map(messageOf).join('; ');
  const said = messageOf(caught);
  return said === 'timeout expired' ? 'it did not answer in time' : said;
}

/**
 * A statement of ours that failed, in words. What only the network did may heal; what the server refused will not, and an
 * error that neither of them made is ours.
 */
export function statementFault(caught: unknown, doing: string, reason = 'DatabaseError'): HoldfastError {
  if (caught instanceof HoldfastError) return caught;
  const message = `${doing} failed: ${messageOf(caught)}`;
  if (isLostConnection(caught)) return notReady('DatabaseUnreachable', message, undefined, caught);
  if (isInterruption(caught)) return new HoldfastError('Interrupted', message, { cause: caught });
  const state = sqlStateOf(caught);
  const hint = state === '53100' ? { hint: DISK_FULL } : {};
  return new HoldfastError(state === undefined ? 'InternalError' : reason, message, { cause: caught, ...hint });
}

/** Codes of the system for what a network does. */
const NETWORK: ReadonlySet<string> = new Set([
  ...['ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'ENOTCONN'],
  ...['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'ENETRESET', 'EADDRNOTAVAIL'],
]);

/** What Node says of a connection that went while it was written to. */
const BROKEN_STREAM = /^ERR_STREAM_(DESTROYED|WRITE_AFTER_END|PREMATURE_CLOSE)$/;

/** What `pg` says, without a code, when a connection has ended. */
const ENDED =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|the server ended the connection|timeout expired)/;

/** SQLSTATEs of class 08 and 57P are lost connections and servers that go down. */
function isLostConnection(caught: unknown): boolean {
  const state = sqlStateOf(caught);
  if (state !== undefined) return state.startsWith('08') || state.startsWith('57P');
  const code = codeOf(caught);
  if (code !== undefined) return NETWORK.has(code) || isTlsFault(caught) || BROKEN_STREAM.test(code);
  return caught instanceof Error && ENDED.test(caught.message);
}

function isInterruption(caught: unknown): boolean {
  return (caught as { name?: unknown } | null)?.name === 'AbortError' || codeOf(caught) === 'ABORT_ERR';
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
