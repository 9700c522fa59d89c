import { describe, expect, test } from '@jest/globals';
import { estimateFor, parseProgress, progressLine } from '../../../src/cli/progress.ts';
import { aBackup, aRestore, condition, NOON, noonPlus } from '../../support/builders.ts';

const GIB = 1024 ** 3;

describe('what a runner says', () => {
  test('of its progress is understood', () => {
    const line = JSON.stringify({
      level: 'info',
      msg: 'progress',
      stage: 'dump',
      bytes: 10,
      storedBytes: 3,
      seconds: 2.5,
    });
    expect(parseProgress(line)).toEqual({ stage: 'dump', bytes: 10, seconds: 2.5 });
  });

  test.each(['', 'no JSON', '{"msg":"progress"}', '{"msg":"other","stage":"dump","bytes":1}', 'null', '[]'])(
    'otherwise is passed over: %s',
    (line) => {
      expect(parseProgress(line)).toBeUndefined();
    },
  );
});

describe('the line of a run', () => {
  const run = aBackup({ status: { phase: 'Running', startTime: '2026-11-24T12:00:00Z' } });
  const now = noonPlus(130);

  test('has the share of what a load or a read-back will have', () => {
    const progress = { stage: 'read-back', bytes: GIB, totalBytes: 4 * GIB, seconds: 10 };
    expect(progressLine({ run, progress, estimate: undefined }, now)).toBe(
      'Running 2m10s · read-back 1.0 GiB at 102.4 MiB/s [#####---------------] 25 % of 4.0 GiB',
    );
  });

  test('has an estimate for a dump, and never says that an estimate is reached', () => {
    const progress = { stage: 'dump', bytes: 3 * GIB, seconds: 0 };
    expect(progressLine({ run, progress, estimate: 2 * GIB }, now)).toContain('99 % of about 2.0 GiB');
    expect(progressLine({ run, progress, estimate: undefined }, now)).toBe('Running 2m10s · dump 3.0 GiB');
  });

  test('without progress says what it waits for, harmless', () => {
    const failure = { reason: 'HostUnreachable', message: 'no \u001b[31manswer' };
    const waiting = aBackup({ status: { phase: 'Pending', failure } });
    expect(progressLine({ run: waiting, progress: undefined, estimate: undefined }, noonPlus(5))).toBe(
      'Pending 5s · HostUnreachable: no �[31manswer',
    );
  });

  test('of one that nobody looked at says so', () => {
    expect(progressLine({ run: aBackup(), progress: undefined, estimate: undefined }, NOON)).toBe(
      'New 0s · the operator has not looked at it yet',
    );
  });
});

describe('the estimate of a dump', () => {
  const done = (source: number, completionTime: string, database = 'orders') =>
    aBackup({
      spec: { source: { postgresql: { host: 'pg.shop.svc', database, credentials: { secretRef: { name: 'pg' } } } } },
      status: { completionTime, sizes: { source, stored: 1 }, conditions: [condition('Complete', 'True')] },
    });

  test('is the last one of the same database', () => {
    const backups = [
      done(7, '2026-11-24T02:00:00Z'),
      done(5, '2026-11-23T02:00:00Z'),
      done(9, '2026-11-24T03:00:00Z', 'other'),
    ];
    expect(estimateFor(aBackup(), backups)).toBe(7);
    expect(estimateFor(aBackup(), [])).toBeUndefined();
    expect(estimateFor(aRestore(), backups)).toBeUndefined();
  });
});
