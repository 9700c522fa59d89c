/** A swap that was committed, or a load in place, whose report was lost while the server stopped answering. */
import { describe, expect, test } from '@jest/globals';
import type { Report } from '../../../src/api/task.ts';
import { BACKED_UP } from '../../support/builders.ts';
import { CHECKED, type Fate, LOADED, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

const PREVIOUS = 'orders_before_22222222';

const silent: Report = {
  command: 'cleanup',
  ok: false,
  retry: true,
  failure: { reason: 'DatabaseUnreachable', message: 'connection refused', hint: 'Is it up?' },
};

const inPlace: Report = PLAN_REPORT.ok
  ? ({ ...PLAN_REPORT, result: { ...PLAN_REPORT.result, inPlace: true } } as Report)
  : PLAN_REPORT;

/** The run that touches what is live says nothing, and the server answers again at this second. */
const fate =
  (lost: 'load' | 'swap' | 'check', comesTo: 'new' | 'old', answersAt: number): Fate =>
  (purpose, world) => {
    if (purpose === lost) {
      world.live = comesTo;
      return 'silence';
    }
    if (purpose === 'plan') return lost === 'load' ? inPlace : PLAN_REPORT;
    if (purpose === 'backup') return BACKED_UP;
    if (purpose === 'load') return LOADED;
    if (purpose === 'check') return CHECKED;
    const told = world.live === 'new' ? { restored: true, previousDatabase: PREVIOUS } : { restored: false };
    return world.now < answersAt ? silent : { command: 'cleanup', ok: true, result: told };
  };

/** In place there is no moment for checks. */
function aWorld(lost: 'load' | 'swap' | 'check', comesTo: 'new' | 'old', answersAt: number): RestoreWorld {
  const world = new RestoreWorld(fate(lost, comesTo, answersAt));
  const { checks: _, ...spec } = world.restore!.spec;
  if (lost === 'load') world.restore = { ...world.restore!, spec };
  return world;
}

const HOUR = 3600;

function untilPhase(world: RestoreWorld, phase: string): void {
  for (let look = 0; look < HOUR && world.restore?.status?.phase !== phase; look += 1) world.step();
  expect(world.restore?.status?.phase).toBe(phase);
}

describe.each(['swap', 'load'] as const)('a %s that touched what is live and did not say so', (lost) => {
  test.each([
    ['new', { phase: 'Complete', previousDatabase: PREVIOUS }],
    ['old', { phase: 'Failed', outcome: { result: 'Failed' } }],
  ] as const)('ends by what the server tells, however late, where %s is live', (comesTo, status) => {
    const world = aWorld(lost, comesTo, HOUR);
    world.run(2 * HOUR);
    expect(world.now).toBeGreaterThan(HOUR);
    expect(world.restore?.status).toMatchObject(status);
    expect({ replicas: world.replicas, leases: [...world.leases.keys()] }).toEqual({ replicas: 3, leases: [] });
  });

  test('says meanwhile, with the app up, that nobody knows, and how to end the asking', () => {
    const world = aWorld(lost, 'new', Number.POSITIVE_INFINITY);
    for (let look = 0; look < HOUR; look += 1) world.step();
    expect(world.replicas).toBe(3);
    expect(world.restore?.status).toMatchObject({
      phase: 'Resuming',
      failure: {
        reason: 'DatabaseUnreachable',
        message: expect.stringContaining('connection refused. Whether the restored database went live'),
        hint: 'Is it up? To have it asked no more: kubectl delete restore.holdfast.dev bring-back -n shop',
      },
    });
    const tries = [...world.jobs.values()].filter(({ run }) => run.purpose === 'cleanup' && run.job !== undefined);
    expect(tries.length).toBeLessThanOrEqual(3);
    world.deleteRestore();
    world.run(HOUR);
    expect(world.restore).toBeUndefined();
  });
});

test('one that only checked what it had loaded touched nothing, and ends after five minutes', () => {
  const world = aWorld('check', 'old', Number.POSITIVE_INFINITY);
  untilPhase(world, 'Failed');
  expect(world.now).toBeLessThan(600);
  expect(world.restore?.status?.failure?.hint).toContain('holdfast_scratch_');
});
