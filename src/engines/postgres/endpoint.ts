import {
  type AuthenticationMethod,
  DEFAULT_AUTHENTICATION,
  type PostgresqlAddress,
  type PostgresqlTls,
  stricterTls,
  type TlsMode,
} from '../../api/postgresql.ts';
import type { ServerAccess } from '../../api/task.ts';
import { HoldfastError } from '../../lib/errors.ts';
import type { Login } from '../engine.ts';

/** A database to connect to, how, and as whom. */
export interface Endpoint extends Pick<PostgresqlAddress, 'host' | 'port'> {
  readonly database: string;
  readonly login: Login;
  readonly tls: PostgresqlTls;
  /** What the server may ask for as proof. */
  readonly authentication: readonly AuthenticationMethod[];
  /** What the server's administrator sees in pg_stat_activity; see session-name.ts. */
  readonly applicationName: string;
}

export function shownAddress({ host, port }: Pick<Endpoint, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export function endpointOf(access: ServerAccess, login: Login, database: string, applicationName: string): Endpoint {
  const tls: PostgresqlTls = access.tls ?? { mode: 'prefer' };
  return {
    host: access.host,
    port: access.port,
    database,
    login,
    tls: { ...tls, mode: modeOf(tls, login) },
    authentication: access.authentication ?? DEFAULT_AUTHENTICATION,
    applicationName,
  };
}

function modeOf({ mode, authorities }: PostgresqlTls, { leastTls = mode, channelBinding }: Login): TlsMode {
  // Without TLS there is no channel to bind to, and `pg` would then prove the password unbound.
  const stricter = stricterTls(stricterTls(mode, leastTls), channelBinding === true ? 'require' : 'disable');
  // Only a URI can come to this: a public authority signs for anybody, so without the name its word is worth nothing.
  return stricter === 'verify-ca' && authorities === undefined ? 'verify-full' : stricter;
}

/**
 * What is answered when it is asked for; never empty. Admission saw to it already; what would send a password in clear text,
 * or take an unproven server for the right one, is not left to admission.
 */
export function methodsOf({ authentication, tls, login }: Endpoint): ReadonlySet<AuthenticationMethod> {
  const known = tls.mode === 'verify-full';
  const methods = authentication.filter((method) => {
    // Only SCRAM can be bound to the channel.
    if (login.channelBinding === true) return method === 'scram-sha-256';
    if (method === 'password') return known;
    if (method === 'cert') return known && tls.clientCertificate !== undefined;
    return true;
  });
  // An empty list would mean to libpq that everything goes.
  if (methods.length === 0) throw unfit(authentication);
  return new Set(methods);
}

function unfit(authentication: readonly AuthenticationMethod[]): HoldfastError {
  return new HoldfastError(
    'SpecInvalid',
    `nothing of authentication (${authentication.join(', ')}) may be answered here`,
    {
      hint: 'password and cert need tls.mode verify-full, and a URI with channel_binding=require leaves scram-sha-256 only',
    },
  );
}
