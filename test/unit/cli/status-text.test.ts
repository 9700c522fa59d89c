import { expect, test } from '@jest/globals';
import { statusText, type View, type World } from '../../../src/cli/status-text.ts';
import { plain } from '../../../src/cli/style.ts';
import { aBackup, aCompleteBackup, aKey, aRestore, aStore, condition, noonPlus } from '../../support/builders.ts';

const NOTHING: World = { stores: [], keys: [], schedules: [], backups: [], restores: [] };
const VIEW: View = { now: noonPlus(120), paint: plain, progressOf: () => undefined, recent: 2 };

function backups(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    ...aCompleteBackup(),
    metadata: {
      ...aCompleteBackup().metadata,
      name: `b${index}`,
      uid: `u${index}`,
      creationTimestamp: `2026-11-2${index}T00:00:00Z`,
    },
  }));
}

test('an empty namespace says so', () => {
  expect(statusText(NOTHING, VIEW)).toBe('Nothing of Holdfast is in this namespace.');
});

test('what is not Ready says why', () => {
  const store = { ...aStore(), status: { conditions: [condition('Ready', 'False', 'BucketMissing')] } };
  const text = statusText({ ...NOTHING, stores: [store], keys: [aKey()] }, VIEW);
  expect(text).toContain('no: BucketMissing: Ready is False');
  expect(text).toMatch(/team +yes +1 reader +yes/);
});

test('the newest backups are shown and the others counted', () => {
  const text = statusText({ ...NOTHING, backups: backups(5) }, VIEW);
  expect([...text.matchAll(/^b\d/gm)].map(([name]) => name)).toEqual(['b4', 'b3']);
  expect(text).toContain('… and 3 older: kubectl holdfast list');
});

test('what is at work is shown however old it is, with its progress', () => {
  const running = aBackup({
    metadata: { name: 'slow', creationTimestamp: '2026-11-01T00:00:00Z' },
    status: { phase: 'Running', startTime: '2026-11-24T12:00:00Z' },
  });
  const progressOf = () => ({ stage: 'read-back', bytes: 1024, totalBytes: 2048, seconds: 1 });
  const text = statusText({ ...NOTHING, backups: [...backups(3), running] }, { ...VIEW, progressOf });
  expect(text).toContain('▸ slow: Running 2m · read-back 1.0 KiB at 1.0 KiB/s [##########----------] 50 % of 2.0 KiB');
});

test('the reason stands beside what failed last', () => {
  const failure = { reason: 'ScaleContested', message: 'Somebody scaled web up.' };
  const restore = aRestore({ status: { phase: 'Failed', failure, conditions: [condition('Failed', 'True')] } });
  const text = statusText({ ...NOTHING, restores: [restore] }, VIEW);
  expect(text).toContain('Failed: ScaleContested');
  expect(text).toContain('✗ bring-back: ScaleContested: Somebody scaled web up.');
});
