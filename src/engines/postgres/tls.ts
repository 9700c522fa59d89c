/** TLS for both of our clients, `pg` and libpq, by the same certificates and the same rules. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { type ConnectionOptions, getCACertificates } from 'node:tls';
import type { Endpoint } from './endpoint.ts';

/** What libpq has by default, too. Older versions are broken. */
const OLDEST_TLS = 'TLSv1.2';

export const verifies = ({ tls }: Endpoint): boolean => tls.mode === 'verify-ca' || tls.mode === 'verify-full';

/**
 * PEM. The public authorities are those that Node brings, for libpq as well: so both trust the same ones, and it does not
 * matter what the image has in /etc/ssl. NODE_EXTRA_CA_CERTS adds to them.
 */
export function authoritiesOf({ login }: Endpoint): string {
  return login.authorities ?? `${getCACertificates('default').join('\n')}\n`;
}

export function tlsOptions(endpoint: Endpoint): ConnectionOptions {
  const { login, tls, host } = endpoint;
  return {
    minVersion: OLDEST_TLS,
    rejectUnauthorized: verifies(endpoint),
    ...(verifies(endpoint) ? { ca: authoritiesOf(endpoint) } : {}),
    ...(login.certificate === undefined ? {} : { cert: login.certificate.chain, key: login.certificate.key }),
    checkServerIdentity: (_, { raw }) =>
      tls.mode === 'verify-full' ? identityProblem(host, new X509Certificate(raw)) : undefined,
  };
}

/** Of {@link libpq}'s environment; `files` are those that it wrote. */
export function tlsEnvironment(
  endpoint: Endpoint,
  files: { readonly authorities?: string; readonly certificate?: string; readonly key?: string },
): Readonly<Record<string, string>> {
  const { certificate, key, authorities } = files;
  return {
    PGSSLMODE: endpoint.tls.mode,
    PGSSLMINPROTOCOLVERSION: OLDEST_TLS,
    ...(authorities === undefined ? {} : { PGSSLROOTCERT: authorities }),
    ...(certificate === undefined || key === undefined
      ? { PGSSLCERTMODE: 'disable' }
      : { PGSSLCERTMODE: 'allow', PGSSLCERT: certificate, PGSSLKEY: key }),
  };
}

/**
 * As libpq judges, which is not quite as Node does: a wildcard stands for a whole label, and the common name counts only
 * where there is no other name.
 */
function identityProblem(host: string, certificate: X509Certificate): Error | undefined {
  const matches =
    isIP(host) === 0 ? certificate.checkHost(host, { partialWildcards: false }) : certificate.checkIP(host);
  if (matches !== undefined) return undefined;
  const names = certificate.subjectAltName ?? certificate.subject.replaceAll('\n', ', ');
  return Object.assign(new Error(names.slice(0, NAMES_LIMIT)), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
}

/** A certificate may have hundreds of names. */
const NAMES_LIMIT = 300;
