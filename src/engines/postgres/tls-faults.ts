import { type HoldfastError, messageOf, notReady } from '../../lib/errors.ts';
import { datesProblem, tlsVerdictOf } from '../../lib/tls-verdict.ts';
import { type Endpoint, shownAddress } from './endpoint.ts';

/** What `pg` says after the answers N, and anything but S. */
const NOT_OFFERED = 'does not support SSL';
const NO_TLS = 'establishing an SSL connection';

/** Whether no TLS came about, or none with the right server. */
export function isTlsFault(caught: unknown): boolean {
  const { code } = (caught ?? {}) as { code?: unknown };
  if (typeof code === 'string') return tlsVerdictOf(code) !== undefined;
  return isAnswer(caught, NOT_OFFERED) || isAnswer(caught, NO_TLS);
}

const isAnswer = (caught: unknown, words: string) => caught instanceof Error && caught.message.includes(words);

/** All of these may heal: certificates are renewed, and Secrets mended. */
export function explainTls(caught: unknown, endpoint: Endpoint): HoldfastError {
  const { code = '' } = caught as { code?: string };
  const verdict = tlsVerdictOf(code);
  const said = messageOf(caught);
  const where = `PostgreSQL at ${shownAddress(endpoint)}`;
  const failed = (message: string, hint: string) => notReady('TlsFailed', message, hint, caught);
  if (isAnswer(caught, NOT_OFFERED)) {
    return failed(
      `${where} offers no TLS, and tls.mode is ${endpoint.tls.mode}`,
      'turn on TLS in the server (ssl = on); if it is on, somebody in between speaks for it',
    );
  }
  if (verdict === 'expired' || verdict === 'not-yet-valid') {
    return failed(
      `the certificate of ${where}, or of the authority that signed it, ${datesProblem(verdict)}`,
      'renew it, and reload the server; where it is good, look at the clocks',
    );
  }
  if (verdict === 'other-names') {
    return failed(
      `the certificate of ${where} is for other names: ${said}`,
      'name the server in the spec by a name in its certificate, or let a certificate be made for this one',
    );
  }
  if (verdict === 'untrusted') {
    return failed(
      `the certificate of ${where} is not signed by ${authority(endpoint)} (${code})`,
      untrustedHint(endpoint),
    );
  }
  if (/ALERT|HANDSHAKE/.test(code)) {
    return failed(
      `${where} broke the TLS handshake off: ${said}`,
      'its log says why: it may want a client certificate of another authority (tls.clientCertSecretRef), or speak no TLS 1.2',
    );
  }
  return failed(
    `no TLS came about with ${where}: ${said}`,
    'look into the log of the server; TLS 1.2 is the oldest that works',
  );
}

function authority({ tls }: Endpoint): string {
  if (tls.authorities === undefined) return 'a public authority';
  return `the authority in key ${tls.authorities.key} of the Secret ${tls.authorities.secret}`;
}

function untrustedHint({ tls }: Endpoint): string {
  const where = tls.authorities === undefined ? 'name it in tls.caSecretRef' : 'put it there';
  return `if another authority signs for this server now, ${where}; if not, this is not the server that is meant`;
}
