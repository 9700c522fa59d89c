import { describe, expect, test } from '@jest/globals';
import type { Report } from '../../../src/api/task.ts';
import { type Fate, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

const cleanup: (world: RestoreWorld) => Report = (world) => ({
  command: 'cleanup',
  ok: true,
  result: { restored: world.live === 'new' },
});
const failure = { reason: 'LoadFailed', message: 'x' };

const FATES: Readonly<Record<string, Fate>> = {
  'the load ends well': (purpose, world) =>
    purpose === 'plan'
      ? PLAN_REPORT
      : purpose === 'restore'
        ? { command: 'restore', ok: true, result: {} }
        : cleanup(world),
  'the load fails': (purpose, world) =>
    purpose === 'plan'
      ? PLAN_REPORT
      : purpose === 'restore'
        ? { command: 'restore', ok: false, retry: false, failure }
        : cleanup(world),
  'the runner is lost': (purpose, world) =>
    purpose === 'plan' ? PLAN_REPORT : purpose === 'restore' ? 'silence' : cleanup(world),
};

/** True in the end of every story, whatever happened on the way. */
function expectPeace(world: RestoreWorld): void {
  expect({ replicas: world.replicas, leases: [...world.leases.keys()], scratch: world.scratch }).toEqual({
    replicas: 3,
    leases: [],
    scratch: false,
  });
}

describe.each(Object.entries(FATES))('when %s', (_name, fate) => {
  const reference = new RestoreWorld(fate);
  reference.run();
  const expected = { phase: reference.restore?.status?.phase, live: reference.live };

  test('the restore ends, and the app is back', () => {
    expectPeace(reference);
    expect(expected.phase).toBe(expected.live === 'new' ? 'Complete' : 'Failed');
  });

  test('an operator killed before any of its writes comes to the same end', () => {
    expect(reference.done).toBeGreaterThan(10);
    for (let crashAt = 1; crashAt <= reference.done; crashAt += 1) {
      const world = new RestoreWorld(fate, crashAt);
      world.run();
      expectPeace(world);
      expect({ crashAt, phase: world.restore?.status?.phase, live: world.live }).toEqual({ crashAt, ...expected });
    }
  });

  test('a Restore deleted at any moment lets the app come back, and goes', () => {
    const looks = new RestoreWorld(fate).run();
    for (let moment = 0; moment <= looks; moment += 1) {
      const world = new RestoreWorld(fate);
      for (let look = 0; look < moment; look += 1) world.step();
      world.deleteRestore();
      world.run();
      expect({ moment, restore: world.restore }).toEqual({ moment, restore: undefined });
      expectPeace(world);
    }
  });

  test('a Restore deleted while its operator is killed as well comes to the same end', () => {
    const looks = new RestoreWorld(fate).run();
    for (let moment = 1; moment <= looks; moment += 2) {
      for (let crashAt = 1; crashAt <= 24; crashAt += 1) {
        const world = new RestoreWorld(fate, crashAt);
        for (let look = 0; look < moment; look += 1) world.step();
        world.deleteRestore();
        world.run();
        expect({ moment, crashAt, restore: world.restore }).toEqual({ moment, crashAt, restore: undefined });
        expectPeace(world);
      }
    }
  });
});
