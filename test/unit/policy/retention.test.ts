import { describe, expect, test } from '@jest/globals';
import { type KeptBackup, planRetention } from '../../../src/policy/retention.ts';
import fc from '../../support/fast-check.ts';

const DAY = 86_400_000;
const backup = (name: string, daysAgo: number, more: Partial<KeptBackup> = {}): KeptBackup => ({
  name,
  time: new Date(1_800_000_000_000 - daysAgo * DAY),
  verified: true,
  inUse: false,
  ...more,
});
const removed = (plan: ReturnType<typeof planRetention>) => plan.remove.map(({ name }) => name);

describe('retention', () => {
  test('keeps the last few, and says why', () => {
    const plan = planRetention({ keepLast: 2 }, [backup('a', 0), backup('b', 1), backup('c', 2)]);
    expect(removed(plan)).toEqual(['c']);
    expect(plan.keep.map(({ because }) => because)).toEqual(['the newest verified backup', 'among the last 2']);
  });

  test('keeps what lies within a span before the newest', () => {
    expect(
      removed(planRetention({ keepWithin: 14 * DAY }, [backup('a', 0), backup('b', 14), backup('c', 15)])),
    ).toEqual(['c']);
  });

  test('keeps what either rule keeps', () => {
    expect(
      removed(
        planRetention({ keepLast: 3, keepWithin: DAY }, [
          backup('a', 0),
          backup('b', 5),
          backup('c', 6),
          backup('d', 7),
        ]),
      ),
    ).toEqual(['d']);
  });

  test('counts no backup that is not verified, and removes none', () => {
    const bogus = Array.from({ length: 9 }, (_, index) => backup(`bogus-${index}`, 0, { verified: false }));
    expect(removed(planRetention({ keepLast: 1 }, [...bogus, backup('good', 30)]))).toEqual([]);
  });

  test('keeps what a restore is using', () => {
    expect(
      removed(planRetention({ keepLast: 1 }, [backup('a', 0), backup('b', 1, { inUse: true }), backup('c', 2)])),
    ).toEqual(['c']);
  });

  test('without a rule keeps all', () => {
    expect(removed(planRetention({}, [backup('a', 0), backup('b', 1000)]))).toEqual([]);
  });

  const history = fc.uniqueArray(
    fc.record({
      name: fc.uuid(),
      daysAgo: fc.integer({ min: 0, max: 400 }),
      verified: fc.boolean(),
      inUse: fc.boolean(),
    }),
    { selector: ({ name }) => name, maxLength: 40 },
  );

  test('whatever the history: the newest N verified ones stay, the newest one always, and nothing is both kept and removed', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 10 }), (records, keepLast) => {
        const backups = records.map(({ name, daysAgo, ...more }) => backup(name, daysAgo, more));
        const plan = planRetention({ keepLast }, backups);
        const times = backups
          .filter(({ verified }) => verified)
          .map(({ time }) => time.getTime())
          .sort((a, b) => b - a);
        const oldestKept = times[Math.min(keepLast, times.length) - 1] ?? 0;
        for (const gone of plan.remove) {
          expect(gone.time.getTime()).toBeLessThanOrEqual(oldestKept);
          expect(gone.time.getTime()).toBeLessThanOrEqual(times[0] ?? 0);
          expect(gone.verified && !gone.inUse).toBe(true);
        }
        expect(plan.keep.length + plan.remove.length).toBe(backups.length);
        const keptVerified = plan.keep.filter(({ backup: { verified } }) => verified).length;
        expect(keptVerified).toBeGreaterThanOrEqual(Math.min(keepLast, times.length));
      }),
    );
  });
});
