/** No TLS with the S3 server, or not with the right one. All of it may heal: certificates are renewed, ConfigMaps mended. */
import { HoldfastError } from '../lib/errors.ts';
import { datesProblem, tlsVerdictOf } from '../lib/tls-verdict.ts';
import { type Fault, type Site, wordsOf } from './s3-fault.ts';

export const isTlsFault = ({ code }: Fault): boolean => tlsVerdictOf(code) !== undefined;

export function tlsError(caught: unknown, fault: Fault, site: Site, doing: string): HoldfastError {
  const { message, hint } = explain(fault, site, namesOf(caught));
  return new HoldfastError('StoreTlsFailed', `cannot ${doing}: ${message}`, { hint, outlook: 'retry', cause: caught });
}

/** As Node tells them; a certificate may have hundreds. */
function namesOf(caught: unknown): string | undefined {
  const { cert } = (caught ?? {}) as { readonly cert?: { readonly subjectaltname?: string } };
  return cert?.subjectaltname?.slice(0, 300);
}

function explain(fault: Fault, site: Site, names: string | undefined): { message: string; hint: string } {
  const verdict = tlsVerdictOf(fault.code);
  const its = `the certificate of ${site.endpoint}`;
  if (verdict === 'expired' || verdict === 'not-yet-valid') {
    return {
      message: `${its}, or of the authority that signed it, ${datesProblem(verdict)}`,
      hint: 'Renew it and reload the S3 server; where it is good, look at the clock of the node.',
    };
  }
  if (verdict === 'other-names') {
    return {
      message: `${its} is for other names (${names ?? fault.message})`,
      hint: 'Write one of its names into spec.s3.endpoint of the BackupStore, or let a certificate be made for this one; where bucket.host is not among them, set spec.s3.forcePathStyle: true.',
    };
  }
  if (verdict === 'untrusted') {
    return { message: `${its} is not signed by ${authorityOf(site)} (${fault.code})`, hint: untrustedHint(site) };
  }
  return {
    message: `no trusted connection to ${site.endpoint} (${wordsOf(fault)})`,
    hint: 'See whether the S3 server speaks TLS on this port: http:// and https:// in spec.s3.endpoint may be confused.',
  };
}

function authorityOf({ authorities }: Site): string {
  if (authorities === undefined) return 'a public authority';
  return `the authority in key ${authorities.key} of the ${authorities.kind} ${authorities.name}`;
}

function untrustedHint({ authorities }: Site): string {
  const where =
    authorities === undefined
      ? "name that authority's certificate in spec.s3.tls.caConfigMapRef or caSecretRef"
      : 'put its certificate there';
  return `If another authority signs for this server, ${where}; if not, this is not the server that is meant.`;
}
