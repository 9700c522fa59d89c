/** Why no TLS came about, or none with the right server: the codes of Node and OpenSSL in the few words that make a difference to people. */
export type TlsVerdict = 'expired' | 'not-yet-valid' | 'other-names' | 'untrusted' | 'other';

const VERDICTS: Readonly<Record<string, TlsVerdict>> = {
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'other-names',
  HOSTNAME_MISMATCH: 'other-names',
  SELF_SIGNED_CERT_IN_CHAIN: 'untrusted',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'untrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT: 'untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'untrusted',
  CERT_SIGNATURE_FAILURE: 'untrusted',
  CERT_UNTRUSTED: 'untrusted',
};

const OTHERS =
  /^(ERR_SSL|ERR_TLS|CERT_|UNABLE_TO_|(INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|EE_KEY_TOO_SMALL|CA_KEY_TOO_SMALL|CA_MD_TOO_WEAK|UNSPECIFIED|EPROTO)$)/;

/** Of an error's `code`; undefined where it tells of something else than TLS. */
export function tlsVerdictOf(code: string): TlsVerdict | undefined {
  return VERDICTS[code] ?? (OTHERS.test(code) ? 'other' : undefined);
}

/** Ends a sentence about a certificate that is at fault for its dates. */
export const datesProblem = (verdict: 'expired' | 'not-yet-valid') =>
  verdict === 'expired' ? 'has expired' : 'is not valid yet';
