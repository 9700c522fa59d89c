import { describe, expect, test } from '@jest/globals';
import { HoldfastError } from '../../../src/lib/errors.ts';
import { canHeal, storeError } from '../../../src/storage/s3-errors.ts';
import { IdentityFault } from '../../../src/storage/s3-identity.ts';

const SITE = { endpoint: 'https://s3.example.com', bucket: 'backups', secret: 'login' };
const fault = (code: string, status?: number) =>
  Object.assign(new Error(`said ${code}`), {
    name: code,
    ...(status === undefined ? {} : { $metadata: { httpStatusCode: status } }),
  });
const network = (code: string) => Object.assign(new Error(`connect ${code}`), { code });

describe('what a store answers becomes a failure that a person can act on:', () => {
  test.each([
    [fault('NoSuchBucket', 404), 'BucketNotFound', 'retry', false],
    [fault('InvalidAccessKeyId', 403), 'StoreCredentialsInvalid', 'retry', false],
    [fault('SignatureDoesNotMatch', 403), 'StoreCredentialsInvalid', 'retry', false],
    [fault('AccessDenied', 403), 'StoreAccessDenied', 'retry', false],
    [fault('Unknown', 403), 'StoreAccessDenied', 'retry', false],
    [fault('RequestTimeTooSkewed', 403), 'ClockSkewed', 'retry', true],
    [fault('PermanentRedirect', 301), 'StoreRejected', 'retry', false],
    [fault('AuthorizationHeaderMalformed', 400), 'StoreRejected', 'retry', false],
    [fault('NoSuchKey', 404), 'ObjectNotFound', 'final', false],
    [fault('QuotaExceeded', 400), 'StoreRejected', 'retry', false],
    [fault('SlowDown', 503), 'StoreUnreachable', 'retry', true],
    [fault('InternalError', 500), 'StoreUnreachable', 'retry', true],
    [fault('NotImplemented', 501), 'StoreRejected', 'retry', false],
    [fault('InvalidArgument', 400), 'StoreRejected', 'retry', false],
    [fault('BadDigest', 400), 'StoreUnreachable', 'retry', true],
    [network('ENOTFOUND'), 'StoreUnreachable', 'retry', true],
    [network('ECONNREFUSED'), 'StoreUnreachable', 'retry', true],
    [network('ECONNRESET'), 'StoreUnreachable', 'retry', true],
    [fault('TimeoutError'), 'StoreUnreachable', 'retry', true],
    [network('CERT_HAS_EXPIRED'), 'StoreTlsFailed', 'retry', false],
    [network('ERR_TLS_CERT_ALTNAME_INVALID'), 'StoreTlsFailed', 'retry', false],
    [network('SELF_SIGNED_CERT_IN_CHAIN'), 'StoreTlsFailed', 'retry', false],
    [new Error('anything'), 'StoreRejected', 'retry', false],
    ['thrown text', 'StoreRejected', 'retry', false],
  ])('%p is %s', (caught, reason, outlook, again) => {
    const failure = storeError(caught, SITE, 'write x');
    expect(failure).toMatchObject({ reason, outlook });
    expect(failure.message).toMatch(/^cannot write x: /);
    expect(failure.hint).toBeTruthy();
    expect(canHeal(caught)).toBe(again);
  });

  test('one of ours passes unchanged and is not tried again', () => {
    const ours = new HoldfastError('ObjectExists', 'there');
    expect(storeError(ours, SITE, 'write x')).toBe(ours);
    expect(canHeal(ours)).toBe(false);
  });

  test('a very long answer is cut', () => {
    const page = Object.assign(new Error('x'.repeat(100_000)), { name: 'InvalidArgument' });
    expect(storeError(page, SITE, 'write x').message.length).toBeLessThan(600);
  });
});

describe('a certificate that is not trusted is told with what to do about it:', () => {
  const told = (code: string, authorities?: { kind: 'ConfigMap'; name: string; key: string }) =>
    storeError(network(code), { ...SITE, ...(authorities === undefined ? {} : { authorities }) }, 'write x');

  test('an unknown authority, where none is named', () => {
    const failure = told('SELF_SIGNED_CERT_IN_CHAIN');
    expect(failure.message).toContain('is not signed by a public authority');
    expect(failure.hint).toContain('spec.s3.tls.caConfigMapRef');
  });

  test('an unknown authority, where one is named', () => {
    const failure = told('UNABLE_TO_VERIFY_LEAF_SIGNATURE', { kind: 'ConfigMap', name: 'company-ca', key: 'ca.crt' });
    expect(failure.message).toContain('the authority in key ca.crt of the ConfigMap company-ca');
    expect(failure.hint).not.toContain('caConfigMapRef');
  });

  test.each([
    ['CERT_HAS_EXPIRED', 'has expired', 'Renew it'],
    ['CERT_NOT_YET_VALID', 'is not valid yet', 'clock'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'is for other names', 'spec.s3.endpoint'],
    ['EPROTO', 'no trusted connection', 'http:// and https://'],
  ])('%s', (code, message, hint) => {
    expect(told(code).message).toContain(message);
    expect(told(code).hint).toContain(hint);
  });
});

describe('that the cloud gives no credentials is told apart from what the store says:', () => {
  const site = { endpoint: 'https://s3.example.com', bucket: 'backups', serviceAccount: 'keeper' };
  const role = 'arn:aws:iam::111122223333:role/keeper';
  const told = (cause: unknown) => storeError(new IdentityFault(cause, role), site, 'write x');

  test.each([
    [fault('AccessDenied', 403), 'CloudIdentityRefused', role, false],
    [fault('InvalidIdentityToken', 400), 'CloudIdentityRefused', 'keeper', false],
    [fault('ServiceUnavailable', 503), 'CloudIdentityUnreachable', 'ServiceUnavailable', true],
    [network('ECONNREFUSED'), 'CloudIdentityUnreachable', 'ECONNREFUSED', true],
    [network('ENOENT'), 'NoCloudIdentity', 'keeper', false],
  ])('%p is %s', (cause, reason, word, again) => {
    expect(told(cause)).toMatchObject({ reason, outlook: 'retry', hint: expect.anything() });
    expect(told(cause).message).toContain(word);
    expect(canHeal(new IdentityFault(cause, role))).toBe(again);
  });

  test('what the store then denies names the service account, where no Secret is named', () => {
    expect(storeError(fault('AccessDenied', 403), site, 'write x').hint).toContain(
      'role of the service account keeper',
    );
  });
});
