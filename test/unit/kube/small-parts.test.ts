import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { backoffTime } from '../../../src/kube/backoff.ts';
import { isAlreadyExists, isConflict, isGone, KubeError } from '../../../src/kube/errors.ts';
import { eventObject, microTime } from '../../../src/kube/event.ts';
import { KIND, kindOf } from '../../../src/kube/kinds.ts';
import { lines } from '../../../src/kube/lines.ts';
import { collectionPath, objectPath } from '../../../src/kube/paths.ts';
import fc from '../../support/fast-check.ts';

describe('lines of a stream', () => {
  test('are the same however the bytes are cut, and a last half line is none', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'binary' })),
        fc.string(),
        fc.infiniteStream(fc.nat(7)),
        async (texts, half, cuts) => {
          const whole = texts.map((text) => text.replaceAll('\n', '·'));
          const bytes = Buffer.from(`${whole.map((text) => `${text}\n`).join('')}${half.replaceAll('\n', '·')}`);
          const chunks: Buffer[] = [];
          for (let at = 0; at < bytes.length; ) {
            const size = 1 + (cuts.next().value ?? 0);
            chunks.push(bytes.subarray(at, at + size));
            at += size;
          }
          const given: string[] = [];
          for await (const line of lines(Readable.from(chunks, { objectMode: true }))) given.push(line);
          expect(given).toEqual(Buffer.from(whole.join('\n')).toString().split('\n').slice(0, whole.length));
        },
      ),
    );
  });

  test('end with an error where one has no end', async () => {
    const endless = async function* () {
      for (let i = 0; i < 40; i += 1) yield Buffer.alloc(1024 * 1024, 'x');
    };
    const read = async () => {
      for await (const _ of lines(endless()));
    };
    await expect(read()).rejects.toThrow('longer than');
  });
});

describe('back-off', () => {
  test('doubles from the base to the cap and is between half and whole', () => {
    const times = (random: number) =>
      [1, 2, 3, 4, 50, 5_000].map((n) => backoffTime({ base: 100, cap: 1_000 }, n, () => random));
    expect(times(1)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(times(0)).toEqual([50, 100, 200, 400, 500, 500]);
  });
});

describe('paths', () => {
  test('of core and grouped kinds, collections and subresources', () => {
    expect(collectionPath(KIND.pod)).toBe('/api/v1/pods');
    expect(collectionPath(KIND.job, 'shop')).toBe('/apis/batch/v1/namespaces/shop/jobs');
    expect(objectPath(KIND.restore, { namespace: 'shop', name: 'r' }, 'status')).toBe(
      '/apis/holdfast.dev/v1alpha1/namespaces/shop/restores/r/status',
    );
  });

  test.each(['', '.', '..'])('refuse the name "%s", which would name another resource', (name) => {
    expect(() => objectPath(KIND.pod, { namespace: 'shop', name })).toThrow('names no object');
  });

  test('keep whatever a name holds within its segment', () => {
    expect(objectPath(KIND.pod, { namespace: 'a/b', name: 'c?d#e' })).toBe('/api/v1/namespaces/a%2Fb/pods/c%3Fd%23e');
  });

  test('know every kind that may be made, and no other', () => {
    expect(kindOf({ apiVersion: 'batch/v1', kind: 'Job' })).toBe(KIND.job);
    expect(() => kindOf({ apiVersion: 'v1', kind: 'Secret' })).toThrow('v1 Secret');
  });
});

describe('errors of the API server', () => {
  const error = (status: number, reason?: string) =>
    new KubeError('GET /x', { status, message: 'm', ...(reason === undefined ? {} : { reason }) });

  test.each([
    [0, undefined, 'retry'],
    [401, 'Unauthorized', 'retry'],
    [403, 'Forbidden', 'final'],
    [404, 'NotFound', 'final'],
    [409, 'Conflict', 'retry'],
    [409, 'AlreadyExists', 'final'],
    [422, 'Invalid', 'final'],
    [429, 'TooManyRequests', 'retry'],
    [500, 'InternalError', 'retry'],
    [503, undefined, 'retry'],
  ])('%s %s: %s', (status, reason, outlook) => {
    expect(error(status, reason).outlook).toBe(outlook);
  });

  test('tell a name that is taken from a version that is stale', () => {
    expect([isConflict(error(409, 'Conflict')), isAlreadyExists(error(409, 'Conflict'))]).toEqual([true, false]);
    expect([isConflict(error(409, 'AlreadyExists')), isAlreadyExists(error(409, 'AlreadyExists'))]).toEqual([
      false,
      true,
    ]);
    expect(isGone(error(410, 'Expired'))).toBe(true);
    expect(isGone(new Error('410'))).toBe(false);
  });
});

describe('an event', () => {
  const regarding = { apiVersion: 'v1', kind: 'Backup', namespace: 'shop', name: 'b', uid: 'u' };
  const report = { regarding, type: 'Warning', reason: 'NoKey', note: 'There is no key.' } as const;
  const at = new Date('2026-11-24T08:00:00.123Z');

  test('has a name made of what it says, so that saying it again is one event', () => {
    const again = eventObject(report, new Date(0), 'other');
    expect(eventObject(report, at, 'me').metadata.name).toBe(again.metadata.name);
    expect(eventObject({ ...report, note: 'x' }, at, 'me').metadata.name).not.toBe(again.metadata.name);
    expect(eventObject({ ...report, regarding: { ...regarding, uid: 'v' } }, at, 'me').metadata.name).not.toBe(
      again.metadata.name,
    );
  });

  test('keeps to the lengths that the API server takes', () => {
    const long = eventObject(
      { ...report, note: 'é'.repeat(3_000), regarding: { ...regarding, name: 'n'.repeat(253) } },
      at,
      'r'.repeat(300),
    );
    expect(String(long['note'])).toHaveLength(1024);
    expect(long.metadata.name.length).toBeLessThanOrEqual(253);
    expect(String(long['reportingInstance'])).toHaveLength(128);
  });

  test('has its time with six digits', () => {
    expect(microTime(at)).toBe('2026-11-24T08:00:00.123000Z');
  });
});
