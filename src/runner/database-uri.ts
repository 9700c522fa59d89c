/**
 * A PostgreSQL URI out of a Secret. Stricter than libpq's: it is data of whoever writes the Secret, so it may say who we are
 * and where, and nothing that selects files, programs or other servers, or that weakens the connection.
 * No message quotes any of it, since a URI that is misread may have its password in any place.
 */
import { isIPv6 } from 'node:net';
import { type PostgresqlAddress, TLS_MODES, type TlsMode } from '../api/postgresql.ts';
import { type HoldfastError, notReady } from '../lib/errors.ts';

export interface DatabaseUri {
  readonly username: string;
  readonly password?: string;
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  /** No weaker mode than this is used. */
  readonly leastTls?: TlsMode;
  readonly channelBinding?: true;
}

/** Settings of a client that change nothing about whom we speak to, and how safely: passed over. */
const PASSED_OVER: ReadonlySet<string> = new Set([
  ...['application_name', 'fallback_application_name', 'client_encoding', 'connect_timeout', 'tcp_user_timeout'],
  ...['keepalives', 'keepalives_idle', 'keepalives_interval', 'keepalives_count'],
]);

/** Those of libpq, which may be named in a message; any other name may be a piece of a password. */
const KNOWN: ReadonlySet<string> = new Set([
  ...['host', 'hostaddr', 'port', 'dbname', 'user', 'password', 'passfile', 'service', 'servicefile', 'options'],
  ...[
    'sslcert',
    'sslkey',
    'sslpassword',
    'sslrootcert',
    'sslcrl',
    'sslcrldir',
    'sslcertmode',
    'sslcompression',
    'sslsni',
  ],
  ...['ssl_min_protocol_version', 'ssl_max_protocol_version', 'sslnegotiation', 'sslkeylogfile', 'requiressl'],
  ...['require_auth', 'requirepeer', 'channel_binding', 'gssencmode', 'krbsrvname', 'gsslib', 'gssdelegation'],
  ...['replication', 'target_session_attrs', 'load_balance_hosts', 'min_protocol_version', 'max_protocol_version'],
  ...['scram_client_key', 'scram_server_key', 'oauth_issuer', 'oauth_client_id', 'oauth_client_secret', 'oauth_scope'],
]);

/** `place` says where it was read, for messages: `the key uri of the Secret pg`. Throws a `retry` HoldfastError. */
export function parseDatabaseUri(text: string, place: string): DatabaseUri {
  const wrong = (problem: string, hint?: string) => uriInvalid(place, problem, hint);
  const rest = /^postgres(?:ql)?:\/\/(.*)$/s.exec(text)?.[1];
  if (rest === undefined) throw wrong('does not begin with postgresql://');
  if (/[\s\p{Cc}#]/u.test(rest)) throw wrong('contains a space, a line break or a #', ENCODE);

  const end = rest.search(/[/?]/);
  const [authority, tail] = end < 0 ? [rest, ''] : [rest.slice(0, end), rest.slice(end)];
  const at = authority.split('@');
  if (at.length > 2 || tail.includes('@'))
    throw wrong('contains one of @ / ? where it must be percent-encoded', ENCODE);
  const [userInfo, hostPort] = at.length === 2 ? (at as [string, string]) : ['', authority];
  if (hostPort.includes(',')) throw wrong('names several hosts', 'Name the one that takes writes, in spec and URI.');

  const decode = (part: string) => decoded(part, wrong);
  const [username, password] = split(userInfo, ':').map((part) => part && decode(part));
  if (!username) throw wrong('names no role', 'Write postgresql://role:password@host:5432/database.');
  const [path = '', query] = split(tail, '?');
  const database = decode(path.slice(1));
  return {
    username,
    ...(password ? { password } : {}),
    ...hostAndPort(hostPort, decode, wrong),
    ...(database === '' ? {} : { database }),
    ...parametersOf(query ?? '', decode, wrong),
  };
}

type Wrong = (problem: string, hint?: string) => HoldfastError;

const ENCODE =
  'Percent-encode role and password, as encodeURIComponent or urllib.parse.quote with safe="" do; or name usernameKey and passwordKey instead, which take them as they are.';

function uriInvalid(place: string, problem: string, hint?: string): HoldfastError {
  return notReady('UriInvalid', `the URI in ${place} ${problem}`, hint);
}

/** At the first separator: the second part is undefined where there is none. */
function split(text: string, separator: string): [string, string?] {
  const index = text.indexOf(separator);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

function decoded(part: string, wrong: Wrong): string {
  let text: string;
  try {
    text = decodeURIComponent(part);
  } catch {
    // The error itself is not passed on: it might quote.
    throw wrong('has a % that does not begin a percent-encoded character', ENCODE);
  }
  if (text.includes('\0')) throw wrong('contains a NUL byte');
  return text;
}

function hostAndPort(text: string, decode: (part: string) => string, wrong: Wrong): Pick<DatabaseUri, 'host' | 'port'> {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{0,5}))?$/.exec(text);
  if (match === null) throw wrong('has no host:port that can be read', ENCODE);
  const [, bracketed, plain = '', digits = ''] = match;
  if (bracketed !== undefined && !isIPv6(bracketed)) throw wrong('has no IPv6 address between its brackets');
  const host = bracketed ?? decode(plain);
  if (/^[/@]/.test(host)) {
    throw wrong('names a socket of the file system', 'Name the host: the runner is not on the machine of the server.');
  }
  const port = Number(digits);
  if (digits !== '' && (port < 1 || port > 65_535)) throw wrong('has no port between 1 and 65535');
  return { ...(host === '' ? {} : { host }), ...(digits === '' ? {} : { port }) };
}

function parametersOf(
  query: string,
  decode: (part: string) => string,
  wrong: Wrong,
): Pick<DatabaseUri, 'leastTls' | 'channelBinding'> {
  const found: { leastTls?: TlsMode; channelBinding?: true } = {};
  for (const pair of query.split('&').filter((each) => each !== '')) {
    const [name, value = ''] = split(pair, '=').map((part) => part && decode(part)) as [string, string?];
    if (PASSED_OVER.has(name)) continue;
    if (name === 'sslmode' || name === 'ssl') found.leastTls = modeOf(name, value, wrong);
    else if (name !== 'channel_binding') throw notTaken(name, wrong);
    else if (value === 'require') found.channelBinding = true;
    // Where the server can, it is done in any case.
    else if (value !== 'prefer') throw wrong('has a channel_binding other than prefer and require');
  }
  return found;
}

function modeOf(name: string, value: string, wrong: Wrong): TlsMode {
  // JDBC's word, which libpq knows too.
  if (name === 'ssl' && value === 'true') return 'require';
  // Tries without TLS first, which is no more than none.
  if (name === 'sslmode' && value === 'allow') return 'disable';
  const mode = TLS_MODES.find((each) => name === 'sslmode' && each === value);
  if (mode === undefined) throw wrong(`has an ${name} that there is not`, `Write one of ${TLS_MODES.join(', ')}.`);
  return mode;
}

function notTaken(name: string, wrong: Wrong): HoldfastError {
  const what = KNOWN.has(name) ? `sets ${name}` : "has a parameter that is none of libpq's";
  return wrong(
    `${what}, which is not taken from a Secret`,
    'Take it out of the URI. What a connection needs beyond role, password, sslmode and channel_binding is said in the spec: host, port, database, tls, authentication.',
  );
}

/** The spec says where; a URI that says otherwise is a mistake in one of the two. What it does not say, the spec says. */
export function mustAgree(
  uri: DatabaseUri,
  spec: Pick<PostgresqlAddress, 'host' | 'port'> & { readonly databases?: readonly string[] },
  place: string,
): void {
  const differs = (what: string, said: string) =>
    notReady(
      'UriDisagrees',
      `the URI in ${place} names another ${what} than the spec, which says ${said}`,
      'Make the two agree, or name usernameKey and passwordKey instead of uriKey.',
    );
  if (uri.host !== undefined && canonicalHost(uri.host) !== canonicalHost(spec.host)) throw differs('host', spec.host);
  if (uri.port !== undefined && uri.port !== spec.port) throw differs('port', String(spec.port));
  const { databases } = spec;
  if (uri.database !== undefined && databases !== undefined && !databases.includes(uri.database)) {
    throw differs('database', databases.map((name) => `"${name}"`).join(' or '));
  }
}

/** An IPv6 address can be written in several ways. */
function canonicalHost(host: string): string {
  return isIPv6(host) && !host.includes('%') ? new URL(`http://[${host}]`).hostname : host.toLowerCase();
}
