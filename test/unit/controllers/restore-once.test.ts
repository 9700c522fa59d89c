/** A restore happens once only: what the operator makes of it. What the database remembers is tried on a real one. */
import { describe, expect, test } from '@jest/globals';
import type { Restore } from '../../../src/api/restore.ts';
import { transitions } from '../../../src/controllers/events.ts';
import { decide } from '../../../src/controllers/restore/decide.ts';
import { aRestore, condition, noonPlus } from '../../support/builders.ts';
import { type Fate, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';
import { UndoWorld } from '../../support/undo-world.ts';

const already: Fate = (purpose) => {
  if (purpose !== 'plan' || PLAN_REPORT.command !== 'plan' || !PLAN_REPORT.ok) throw new Error(`a ${purpose} began`);
  return { ...PLAN_REPORT, result: { ...PLAN_REPORT.result, alreadyRestored: true } };
};

/** In the world the least that the app ever had is noted. */
function least(world: RestoreWorld): number {
  let count = world.replicas;
  for (let look = 0; look < 60; look += 1) {
    world.step();
    count = Math.min(count, world.replicas);
  }
  return count;
}

describe.each([
  ['restore', (crashAt?: number) => new RestoreWorld(already, crashAt)],
  ['undo', (crashAt?: number) => new UndoWorld(already, crashAt)],
])('one (%s) that is made anew, by a person, a GitOps tool or on a rebuilt cluster', (_what, aWorld) => {
  test('looks, scales nothing, saves nothing and is Complete as AlreadyRestored', () => {
    const world = aWorld();
    expect(least(world)).toBe(3);
    expect(world.restore?.status).toMatchObject({ phase: 'Complete', outcome: { result: 'AlreadyRestored' } });
    expect([...world.leases.keys()]).toEqual([]);
    expect([...world.jobs.values()].map(({ run }) => run.purpose)).toEqual(['plan']);
  });

  test('does no more with an operator that is killed at any of its writes', () => {
    for (let crashAt = 1; crashAt <= 12; crashAt += 1) {
      const world = aWorld(crashAt);
      expect({ crashAt, least: least(world) }).toEqual({ crashAt, least: 3 });
      expect(world.restore?.status).toMatchObject({ outcome: { result: 'AlreadyRestored' } });
    }
  });

  test('tells it as a warning, with the way on', () => {
    const world = aWorld();
    least(world);
    expect(transitions({}, world.restore?.status ?? {}, [])).toContainEqual({
      type: 'Warning',
      reason: 'AlreadyRestored',
      note: expect.stringContaining('another metadata.name'),
    });
  });
});

test('a restore that is over stays over when it is applied again, and when its keepPrevious changes', () => {
  const status: Restore['status'] = {
    phase: 'Complete',
    outcome: { result: 'Restored', time: noonPlus(0).toISOString() },
    completionTime: noonPlus(0).toISOString(),
    conditions: [condition('Complete', 'True', 'Restored')],
  };
  const world = new RestoreWorld(already);
  for (const keepPrevious of ['24h', '0s']) {
    const restore = aRestore({ status, spec: { keepPrevious }, metadata: { generation: 2, finalizers: [] } });
    expect(decide(world.facts(restore), noonPlus(60)).actions).toEqual([]);
  }
});
