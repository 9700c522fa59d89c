/** Somebody writes the count while the app has to be at zero: stories in the small world, with a crash at every write. */
import { describe, expect, test } from '@jest/globals';
import type { Report } from '../../../src/api/task.ts';
import { contestReport } from '../../../src/controllers/restore/contest.ts';
import { BACKED_UP } from '../../support/builders.ts';
import { LOADED, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

const REPORTS: Readonly<Record<string, Report>> = {
  plan: PLAN_REPORT,
  backup: BACKED_UP,
  load: LOADED,
  check: { command: 'check', ok: true, result: { checks: [{ name: 'rows', passed: true }] } },
  swap: { command: 'swap', ok: true, result: {} },
};

function world(rival: RestoreWorld['rival'], crashAt?: number): RestoreWorld {
  const made = new RestoreWorld(
    (purpose, { live }) => REPORTS[purpose] ?? { command: 'cleanup', ok: true, result: { restored: live === 'new' } },
    crashAt,
  );
  made.rival = rival;
  return made;
}

const working = (purpose: string) => (at: RestoreWorld) =>
  [...at.jobs.values()].some(({ run }) => run.purpose === purpose && run.state === 'active');

function ended(at: RestoreWorld) {
  at.run();
  const { status } = at.restore ?? {};
  const contested = status?.conditions?.find(({ type }) => type === 'ScaleContested');
  return { phase: status?.phase, live: at.live, replicas: at.replicas, leases: at.leases.size, contested };
}

describe.each([1, 2, 3])('somebody who writes the count %d times', (times) => {
  test.each<[string, RestoreWorld['rival'] & object]>([
    ['at once', { to: 7, times }],
    ['while it loads', { to: 7, times, when: working('load') }],
    ['while it is checked', { to: 7, times, when: working('check') }],
  ])('%s, gets the last count in the end, and the restore goes through', (_when, rival) => {
    const end = ended(world({ ...rival }));
    expect(end).toMatchObject({ phase: 'Complete', live: 'new', replicas: 7, leases: 0 });
    expect(end.contested?.message).toContain('scaled to 7 during the restore, by Argo CD (argocd-controller) at 2026-');
    expect(end.contested?.message).toMatch(/\([123] of 3 times\)/);
  });
});

describe('somebody who insists', () => {
  test.each<[string, NonNullable<RestoreWorld['rival']>['when']]>([
    ['from the beginning', undefined],
    ['while it loads', working('load')],
  ])('%s ends the restore with the app up at their count, and nothing was replaced', (_when, when) => {
    const at = world({ to: 5, times: 1_000, ...(when === undefined ? {} : { when }) });
    const end = ended(at);
    expect(end).toMatchObject({ phase: 'Failed', live: 'old', replicas: 5, leases: 0 });
    expect(at.restore?.status?.failure).toMatchObject({
      reason: 'ScaleContested',
      message: expect.stringContaining('scaled to 5 during the restore, by Argo CD'),
      hint: expect.stringContaining('selfHeal'),
    });
    expect(at.rival?.times).toBe(1_000 - 4);
  });

  test('during the swap itself is not fought: the swap is stopped', () => {
    const end = ended(world({ to: 5, times: 1, when: working('swap') }));
    expect(end).toMatchObject({ phase: 'Failed', live: 'old', replicas: 5, leases: 0 });
  });
});

test('an operator killed before any of its writes counts no contest twice and forgets no count', () => {
  const rival = () => ({ to: 7, times: 3, when: working('load') });
  const reference = world(rival());
  reference.run();
  for (let crashAt = 1; crashAt <= reference.done; crashAt += 1) {
    const at = world(rival(), crashAt);
    const { phase, live, replicas, leases } = ended(at);
    expect({ crashAt, phase, live, replicas, leases }).toEqual({
      crashAt,
      phase: 'Complete',
      live: 'new',
      replicas: 7,
      leases: 0,
    });
  }
});

test('nobody is reported where nobody wrote', () => {
  const at = world(undefined);
  expect(ended(at).contested).toBeUndefined();
  expect(contestReport(at.facts(at.restore!))).toBeUndefined();
});

test.each(['load', 'check', 'swap'])(
  'an app whose Lease somebody removes while it is at zero for the %s comes back all the same',
  (purpose) => {
    const at = world(undefined);
    while (!working(purpose)(at)) at.step();
    at.leases.delete('scale');
    expect(ended(at)).toMatchObject({ phase: 'Complete', live: 'new', replicas: 3, leases: 0 });
  },
);

test('an app that a person brought back by hand, as the page says, is left as it is', () => {
  const at = world(undefined);
  while (!working('swap')(at)) at.step();
  at.replicas = 4;
  at.leases.delete('scale');
  expect(ended(at)).toMatchObject({ replicas: 4, leases: 0 });
});
