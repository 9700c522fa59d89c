/** What is restored joins a live database: the load is all there is, and it works on what is live. */
import { describe, expect, test } from '@jest/globals';
import type { RestoreStatus } from '../../../src/api/restore.ts';
import type { ObjectsOutcome, Report } from '../../../src/api/task.ts';
import { transitions } from '../../../src/controllers/events.ts';
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

/** The world after a load that did this. */
function over(at: RestoreWorld, objects: ObjectsOutcome): { readonly status: RestoreStatus } {
  const load: Report = { command: 'load', ok: true, result: { live: { objects } } };
  const ended = new RestoreWorld((purpose) => (purpose === 'load' ? load : (REPORTS[purpose] ?? 'silence')));
  ended.restore = at.restore;
  ended.run();
  return { status: ended.restore!.status! };
}

function completeOf({ conditions }: RestoreStatus): object {
  const { reason, message } = conditions!.find(({ type }) => type === 'Complete')!;
  return { reason, message };
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

  test('says how much was added, replaced and left, and not that a restored database is live', () => {
    const { status } = over(world(), OBJECTS);
    expect(status).toMatchObject({ outcome: { result: 'Restored' } });
    expect(completeOf(status)).toEqual({
      reason: 'Restored',
      message: 'what was restored is in the live database: 1 added, none replaced, 1 stayed as they were',
    });
  });

  test('that added nothing and replaced nothing says so as a warning, with the way on', () => {
    const { status } = over(world(), { ...OBJECTS, added: [], addedCount: 0 });
    expect(status).toMatchObject({ phase: 'Complete', outcome: { result: 'NothingRestored' } });
    expect(completeOf(status)).toEqual({
      reason: 'NothingRestored',
      message: expect.stringMatching(
        /^nothing was restored: none added, none replaced, 1 stayed .* onConflict: Replace/,
      ),
    });
    expect(transitions({}, status, [])).toContainEqual(
      expect.objectContaining({ type: 'Warning', reason: 'NothingRestored' }),
    );
  });

  test('whose report was lost does not say what it does not know', () => {
    const at = new RestoreWorld((purpose) => {
      if (purpose === 'cleanup') return { command: 'cleanup', ok: true, result: { restored: true } };
      return purpose === 'load' ? 'silence' : (REPORTS[purpose] ?? 'silence');
    });
    at.restore = world().restore;
    at.run();
    expect(completeOf(at.restore!.status!)).toMatchObject({
      message: 'what was restored is in the live database; the report of what was added is lost',
    });
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
    const { task: _, ...untold } = run;
    expect(touchesLive(at.restore, untold)).toBe(true);
    expect(touchesLive(aRestore(), run)).toBe(true);
    expect(touchesLive(aRestore(), untold)).toBe(false);
    expect(decide(at.facts(at.restore), noonPlus(at.now)).actions).toEqual([]);
  });
});
