import { describe, expect, test } from '@jest/globals';
import { delayBefore, PATIENT, type Patience, retrying } from '../../../src/storage/retry.ts';
import fc from '../../support/fast-check.ts';

const QUICK: Patience = { attempts: 4, firstDelayMs: 1, longestDelayMs: 2 };
const always = { patience: QUICK, canHeal: () => true };

/** Fails the first `failures` times. */
function flaky(failures: number) {
  let calls = 0;
  return {
    work: async () => {
      calls += 1;
      if (calls <= failures) throw new Error(`failure ${calls}`);
      return 'done';
    },
    calls: () => calls,
  };
}

describe('retrying', () => {
  test('ends with the first success', async () => {
    const { work, calls } = flaky(2);
    expect(await retrying(work, always)).toBe('done');
    expect(calls()).toBe(3);
  });

  test('gives up with the last error when the patience is at its end', async () => {
    const { work, calls } = flaky(100);
    await expect(retrying(work, always)).rejects.toThrow('failure 4');
    expect(calls()).toBe(4);
  });

  test('gives up at once on what cannot heal', async () => {
    const { work, calls } = flaky(100);
    await expect(retrying(work, { ...always, canHeal: () => false })).rejects.toThrow('failure 1');
    expect(calls()).toBe(1);
  });

  test('ends with the reason of an aborted signal, also while it waits', async () => {
    const controller = new AbortController();
    const patience = { attempts: 9, firstDelayMs: 60_000, longestDelayMs: 60_000 };
    const trying = retrying(flaky(100).work, { ...always, patience, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(trying).rejects.toThrow('enough');
  });
});

describe('the delay', () => {
  test('grows, and stays within half and the whole of its bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (retry, random) => {
        const delay = delayBefore(retry, PATIENT, () => random);
        const bound = Math.min(PATIENT.firstDelayMs * 2 ** (retry - 1), PATIENT.longestDelayMs);
        expect(delay).toBeGreaterThanOrEqual(bound / 2);
        expect(delay).toBeLessThanOrEqual(bound);
      }),
    );
  });

  test('adds up to more than a minute and less than two', () => {
    let sum = 0;
    for (let retry = 1; retry < PATIENT.attempts; retry += 1) sum += delayBefore(retry, PATIENT, () => 0.5);
    expect(sum).toBeGreaterThan(45_000);
    expect(sum).toBeLessThan(120_000);
  });
});
