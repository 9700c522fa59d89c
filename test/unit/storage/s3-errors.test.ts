import { describe, expect, test } from '@jest/globals';
import { HoldfastError } from '../../../src/lib/errors.ts';
import { canHeal, storeError } from '../../../src/storage/s3-errors.ts';

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
    [network('CERT_HAS_EXPIRED'), 'StoreUnreachable', 'retry', false],
    [network('ERR_TLS_CERT_ALTNAME_INVALID'), 'StoreUnreachable', 'retry', false],
    [network('SELF_SIGNED_CERT_IN_CHAIN'), 'StoreUnreachable', 'retry', false],
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
