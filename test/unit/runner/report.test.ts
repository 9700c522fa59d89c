import { describe, expect, test } from '@jest/globals';
import type { PlanResult, Report } from '../../../src/api/task.ts';
import { type Failure, HoldfastError, notReady } from '../../../src/lib/errors.ts';
import { exitCodeOf, terminationMessage } from '../../../src/runner/report.ts';
import fc from '../../support/fast-check.ts';

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

  test('of a catalog fits, however hostile the manifest is', () => {
    const name = 'n'.repeat(253);
    const report: Report<'catalog'> = {
      command: 'catalog',
      ok: true,
      result: {
        manifestDigest: `sha256:${'a'.repeat(64)}`,
        cluster: name,
        namespace: name,
        backup: { name, uid: '\u0000'.repeat(64) },
        dataTime: '2026-11-24T12:00:00.000Z',
        server: { engine: 'postgresql', version: '\u0000'.repeat(256) },
        scope: 'Database',
        verification: { level: 'ReadBack', time: '2026-11-24T12:00:00.000Z' },
        database: '\u0000'.repeat(63),
      },
    };
    expect(JSON.parse(terminationMessage(report))).toEqual(report);
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

  test('of a plan with more warnings and notes than fit keeps the first ones and counts the others', () => {
    const sentences = [...Array(300).keys()].map((n) => `${n} ${'ü'.repeat(200)}`);
    const { result, ...plan } = planned([{ reason: 'R', message: 'm' }]) as Report<'plan'> & { ok: true };
    const compatibility = [
      { of: 'application', archive: 'v'.repeat(256), target: 'ü'.repeat(256), verdict: 'Fits' as const },
    ];
    const long = { ...plan, result: { ...result, warnings: sentences, notes: sentences, compatibility } };
    const written = terminationMessage(long);
    expect(Buffer.byteLength(written)).toBeLessThanOrEqual(4096);
    const kept = JSON.parse(written).result as PlanResult;
    expect(kept.refusals).toEqual([{ reason: 'R', message: 'm' }]);
    for (const some of [kept.warnings ?? [], kept.notes ?? []]) {
      expect(some[0]).toMatch(/^0 ü/);
      expect(some.at(-1)).toBe(`${300 - (some.length - 1)} more; see the log of the Job`);
    }
  });

  test('of a drill keeps what every check came to, whatever else has to go', () => {
    const many = [...Array(32).keys()];
    const report: Report<'drill'> = {
      command: 'drill',
      ok: true,
      result: {
        server: '17.6',
        seconds: 5,
        totals: { databases: 10, bytes: 1, tables: 2, rows: 3 },
        databases: many.slice(0, 10).map((n) => ({ name: `${n}`.padEnd(63, 'ü'), bytes: 1, tables: 2, rows: 3 })),
        largest: many.slice(0, 10).map((n) => ({ table: `${n}`.padEnd(195, 'ü'), rows: 3 })),
        checks: many.map((n) => ({
          name: `${n}`.padEnd(63, 'x'),
          passed: n % 2 === 0,
          ...(n % 2 === 0 ? {} : { found: 'y'.repeat(200) }),
        })),
        notes: ['z'.repeat(2000)],
      },
    };
    const written = terminationMessage(report);
    expect(Buffer.byteLength(written)).toBeLessThanOrEqual(4096);
    const { result } = JSON.parse(written) as typeof report;
    expect(result.checks.map(({ passed }) => passed)).toEqual(many.map((n) => n % 2 === 0));
    expect(result.totals).toEqual(report.ok ? report.result.totals : undefined);
  });

  test('of a plan with a few long refusals keeps all of them', () => {
    const refusals = [...Array(5).keys()].map((n) => ({ reason: `Refusal${n}`, message: 'm'.repeat(3000) }));
    expect((JSON.parse(terminationMessage(planned(refusals))).result as PlanResult).refusals).toHaveLength(5);
  });
});

describe('a termination message of a success with texts from outside in it', () => {
  const result = {
    manifestDigest: `sha256:${'0'.repeat(64)}`,
    sizes: { source: 1, stored: 2 },
    keyFingerprints: ['SHA256:x'],
    server: { engine: 'postgresql', version: '9'.repeat(9000) },
    tool: `pg_dump ${'7'.repeat(9000)}`,
    verifiedTime: '2026-11-24T10:00:00Z',
  };

  test('keeps what was removed when the store talks at length about what was not', () => {
    const failure = { reason: 'StoreRejected', message: '🦔"\\'.repeat(3000), hint: 'h'.repeat(9000) };
    const written = terminationMessage({ command: 'prune', ok: true, result: { removed: [0, 1, 2], failure } });
    expect(Buffer.byteLength(written)).toBeLessThanOrEqual(4096);
    expect(JSON.parse(written).result).toMatchObject({ removed: [0, 1, 2], failure: { reason: 'StoreRejected' } });
  });

  test('names as many of the databases that a backup left out as there is room for', () => {
    const skippedDatabases = [...Array(24).keys()].map((n) => ({
      name: `${n}${'🦔'.repeat(15)}`,
      reason: 'MadeMeanwhile',
    }));
    const told = (over: object) => {
      const written = terminationMessage({ command: 'backup', ok: true, result: { ...result, ...over } });
      expect(Buffer.byteLength(written)).toBeLessThanOrEqual(4096);
      return JSON.parse(written).result.skippedDatabases;
    };
    const short = { server: { engine: 'postgresql', version: '17.6' }, tool: 'pg_dump 17.6' };
    expect(told({ ...short, skippedDatabases })).toEqual(skippedDatabases);
    expect(told({ skippedDatabases }).length).toBeGreaterThan(0);
    expect(
      told({ ...short, skippedDatabases, keyFingerprints: Array(30).fill('f'.repeat(71)) }).length,
    ).toBeGreaterThan(0);
  });

  test('keeps the digest of a backup, whatever the server calls its version', () => {
    const written = terminationMessage({ command: 'backup', ok: true, result });
    expect(Buffer.byteLength(written)).toBeLessThanOrEqual(4096);
    expect(JSON.parse(written).result).toMatchObject({
      manifestDigest: result.manifestDigest,
      keyFingerprints: ['SHA256:x'],
    });
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
