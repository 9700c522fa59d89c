/** What is restored joins a live database: the load is all there is, and it works on what is live. */
import { describe, expect, test } from '@jest/globals';
import type { ObjectsOutcome, Report } from '../../../src/api/task.ts';
import { decide } from '../../../src/controllers/restore/decide.ts';
import { touchesLive } from '../../../src/controllers/restore/scaling.ts';
import { aRestore, BACKED_UP, noonPlus } from '../../support/builders.ts';
import { PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

const PLAN = PLAN_REPORT as Extract<Report<'plan'>, { ok: true }>;
const IN_PLACE: Report = { ...PLAN, result: { ...PLAN.result, inPlace: true, notes: ['Added (1): table "a".'] } };

const OBJECTS: ObjectsOutcome = {
  ...{ added: ['table "a"'], addedCount: 1, kept: ['table "b"'], keptCount: 1, replaced: [], replacedCount: 0 },
};

const PART = { include: { tables: [{ schema: 'public', name: 'a' }] } };

const REPORTS: Readonly<Record<string, Report>> = {
  plan: IN_PLACE,
  backup: BACKED_UP,
  load: { command: 'load', ok: true, result: { live: { objects: OBJECTS } } },
};

function world(spec: Partial<ReturnType<typeof aRestore>['spec']> = {}): RestoreWorld {
  const made = new RestoreWorld((purpose) => REPORTS[purpose] ?? 'silence');
  const restore = made.restore ?? aRestore();
  const { checks: _, ...base } = restore.spec;
  made.restore = { ...restore, spec: { ...base, ...PART, onConflict: 'Replace', ...spec } };
  return made;
}

describe('a restore into a live database', () => {
  test('is over with its load, and says what became of the objects', () => {
    const at = world();
    at.run();
    expect(at.restore?.status).toMatchObject({
      phase: 'Complete',
      objects: OBJECTS,
      safetyBackup: { time: expect.any(String) },
      plan: { inPlace: true, notes: expect.arrayContaining(['Added (1): table "a".']) },
    });
    expect([...at.jobs.values()].map(({ run }) => run.purpose)).not.toContain('swap');
    expect(at.replicas).toBe(3);
  });

  test('has no moment for checks, and says so before the app is touched', () => {
    const at = world({ checks: [{ name: 'rows', sql: 'SELECT true', expect: 'true' }] });
    at.run();
    expect(at.restore?.status).toMatchObject({ phase: 'Failed', failure: { reason: 'ChecksInPlace' } });
    expect(at.restore?.status?.plan?.refusals).toMatchObject([{ reason: 'ChecksInPlace', forceable: false }]);
    expect(at.restore?.status?.scaledWorkloads).toBeUndefined();
  });

  test('gives the runner what was chosen', () => {
    const at = world({ onConflict: 'Skip', streams: 4, roles: { onConflict: 'Replace' } });
    for (let looks = 0; looks < 5 && at.jobs.size === 0; looks += 1) at.step();
    const [{ run } = { run: undefined }] = at.jobs.values();
    expect(run?.task).toMatchObject({ onConflict: 'Skip', selection: PART, streams: 4, rolesOnConflict: 'Replace' });
  });

  test('is work on what is live, from the load on', () => {
    const at = world();
    for (let looks = 0; looks < 200 && ![...at.jobs.values()].some(({ run }) => run.purpose === 'load'); looks += 1)
      at.step();
    const { run } = [...at.jobs.values()].find((job) => job.run.purpose === 'load') ?? {};
    if (run === undefined || at.restore === undefined) throw new Error('it loads by now');
    expect(touchesLive(at.restore, run)).toBe(true);
    expect(touchesLive(aRestore(), run)).toBe(false);
    expect(decide(at.facts(at.restore), noonPlus(at.now)).actions).toEqual([]);
  });
});
