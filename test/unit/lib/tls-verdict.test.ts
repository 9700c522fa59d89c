import { expect, test } from '@jest/globals';
import { datesProblem, tlsVerdictOf } from '../../../src/lib/tls-verdict.ts';

test.each([
  ['CERT_HAS_EXPIRED', 'expired'],
  ['CERT_NOT_YET_VALID', 'not-yet-valid'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'other-names'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'untrusted'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted'],
  ['CERT_REVOKED', 'other'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'other'],
  ['EPROTO', 'other'],
])('%s is the verdict %s', (code, verdict) => {
  expect(tlsVerdictOf(code)).toBe(verdict);
});

test.each(['ECONNREFUSED', 'EPROTONOSUPPORT', 'InvalidCA', ''])('%j tells nothing of TLS', (code) => {
  expect(tlsVerdictOf(code)).toBeUndefined();
});

test('a certificate is out of its dates on either side', () => {
  expect([datesProblem('expired'), datesProblem('not-yet-valid')]).toEqual(['has expired', 'is not valid yet']);
});
