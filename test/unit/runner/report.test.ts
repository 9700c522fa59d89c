import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { PlanResult, Report } from '../../../src/api/task.ts';
import { type Failure, HoldfastError, notReady } from '../../../src/lib/errors.ts';
import { exitCodeOf, terminationMessage } from '../../../src/runner/report.ts';

const failed = (failure: Failure): Report => ({ command: 'backup', ok: false, retry: false, failure });
const planned = (refusals: Failure[]): Report<'plan'> => ({
  command: 'plan',
  ok: true,
  result: { refusals, alreadyRestored: false, server: '17.6', databaseExists: true, objects: 3, bytesNeeded: 5 },
});

describe('a termination message', () => {
  test('that fits is the report', () => {
    const report = failed({ reason: 'DumpFailed', message: 'pg_dump ended', hint: 'look' });
    expect(JSON.parse(terminationMessage(report))).toEqual(report);
  });

  test('is JSON of at most 4096 bytes and keeps the reason, whatever is in it', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 9000, unit: 'binary' }),
      fc.constant('\u0000'.repeat(5000)),
      fc.constant('🦔"\\'.repeat(3000)),
    );
    fc.assert(
      fc.property(text, text, (message, hint) => {
        const written = terminationMessage(failed({ reason: 'DumpFailed', message, hint }));
        expect(Buffer.byteLength(written)).toBeLessThanOrEqual(4096);
        expect(JSON.parse(written)).toMatchObject({ ok: false, failure: { reason: 'DumpFailed' } });
      }),
      { numRuns: 200 },
    );
  });

  test('of a failure keeps the beginning of what is too long, and shows that it was cut', () => {
    const written = JSON.parse(
      terminationMessage(failed({ reason: 'R', message: `the beginning ${'x'.repeat(9000)}` })),
    );
    expect(written.failure.message).toMatch(/^the beginning x+…$/);
  });

  test('of a plan with more refusals than fit keeps the first ones and counts the others', () => {
    const refusals = [...Array(300).keys()].map((n) => ({
      reason: `Refusal${n}`,
      message: 'm'.repeat(500),
      hint: 'h'.repeat(500),
    }));
    const written = terminationMessage(planned(refusals));
    expect(Buffer.byteLength(written)).toBeLessThanOrEqual(4096);
    const kept = (JSON.parse(written).result as PlanResult).refusals;
    expect(kept[0]?.reason).toBe('Refusal0');
    expect(kept.at(-1)).toEqual({
      reason: 'MoreRefusals',
      message: `${300 - (kept.length - 1)} more; see the log of the Job`,
    });
  });

  test('of a plan with a few long refusals keeps all of them', () => {
    const refusals = [...Array(5).keys()].map((n) => ({ reason: `Refusal${n}`, message: 'm'.repeat(3000) }));
    expect((JSON.parse(terminationMessage(planned(refusals))).result as PlanResult).refusals).toHaveLength(5);
  });
});

describe('the exit code', () => {
  test.each([
    [notReady('SecretNotFound', ''), 3],
    [new HoldfastError('DumpFailed', ''), 4],
    [new HoldfastError('Interrupted', '', { outlook: 'retry' }), 5],
  ])('of %p is %d', (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});
