import { describe, expect, test } from '@jest/globals';
import type { Report } from '../../../src/api/task.ts';
import { BACKED_UP } from '../../support/builders.ts';
import { CHECKED, type Fate, LOADED, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

const cleanup: (world: RestoreWorld) => Report = (world) => ({
  command: 'cleanup',
  ok: true,
  result: { restored: world.live === 'new' },
});
const failure = { reason: 'LoadFailed', message: 'x' };

/** Every Job ends well but for those that are named. */
const fate =
  (others: Readonly<Record<string, ReturnType<Fate>>>): Fate =>
  (purpose, world) => {
    if (others[purpose] !== undefined) return others[purpose];
    if (purpose === 'plan') return PLAN_REPORT;
    if (purpose === 'backup') return BACKED_UP;
    if (purpose === 'load') return LOADED;
    if (purpose === 'check') return CHECKED;
    return purpose === 'swap' ? { command: 'swap', ok: true, result: {} } : cleanup(world);
  };

/** The first of these Jobs ends before it begins. */
const notAtOnce =
  (which: 'load' | 'check' | 'swap'): Fate =>
  (purpose, world) => {
    const jobs = [...world.jobs.values()].filter(({ run }) => run.purpose === which);
    const unreachable = { reason: 'DatabaseUnreachable', message: 'x' };
    return purpose === which && jobs.length === 1
      ? { command: which, ok: false, retry: true, failure: unreachable }
      : fate({})(purpose, world);
  };

const FATES: Readonly<Record<string, Fate>> = {
  'all goes well': fate({}),
  'the safety backup fails': fate({ backup: { command: 'backup', ok: false, retry: false, failure } }),
  'the runner of the safety backup is lost': fate({ backup: 'silence' }),
  'the load does not begin at once': notAtOnce('load'),
  'a check does not begin at once': notAtOnce('check'),
  'the swap does not begin at once': notAtOnce('swap'),
  'the load fails': fate({ load: { command: 'load', ok: false, retry: false, failure } }),
  'the runner is lost while it loads': fate({ load: 'silence' }),
  'a check does not hold': fate({
    check: { command: 'check', ok: true, result: { checks: [{ name: 'rows', passed: false, found: 'false' }] } },
  }),
  'the runner is lost while it checks': fate({ check: 'silence' }),
  'the swap fails': fate({ swap: { command: 'swap', ok: false, retry: false, failure } }),
  'the runner is lost while it swaps': fate({ swap: 'silence' }),
  'the pod that swaps is deleted by force': fate({ swap: 'vanished' }),
};

/** True in the end of every story, whatever happened on the way. */
function expectPeace(world: RestoreWorld): void {
  const atWork = [...world.jobs].filter(([, { run }]) => run.state === 'active').map(([name]) => name);
  expect({ replicas: world.replicas, leases: [...world.leases.keys()], scratch: world.scratch, atWork }).toEqual({
    replicas: 3,
    leases: [],
    scratch: false,
    atWork: [],
  });
}

test('where force goes on without a safety backup the status says why, wherever an operator is killed', () => {
  const forced = (crashAt?: number) => {
    const world = new RestoreWorld(FATES['the safety backup fails']!, crashAt);
    const { restore } = world;
    world.restore = { ...restore!, spec: { ...restore!.spec, force: ['SafetyBackup'] } };
    world.run();
    return world;
  };
  const { done } = forced();
  expect(done).toBeGreaterThan(10);
  for (let crashAt = 1; crashAt <= done + 1; crashAt += 1) {
    const world = forced(crashAt);
    expectPeace(world);
    const { status } = world.restore!;
    expect({ crashAt, live: world.live, phase: status?.phase }).toEqual({ crashAt, live: 'new', phase: 'Complete' });
    expect(status?.plan).toMatchObject({
      refusals: [{ reason: 'SafetyBackup', message: expect.stringContaining('LoadFailed: x'), forced: true }],
      notes: [expect.stringContaining('there is no safety backup')],
    });
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Forced', status: 'True' }));
    expect(status?.safetyBackup?.time).toBeUndefined();
  }
});

test.each(['load', 'check', 'swap'] as const)('a %s that does not begin at once is none that fails', (which) => {
  const world = new RestoreWorld(notAtOnce(which));
  world.run();
  expect({ live: world.live, phase: world.restore?.status?.phase }).toEqual({ live: 'new', phase: 'Complete' });
  expect([...world.jobs.keys()].filter((name) => name.includes(`-${which}-`))).toHaveLength(2);
});

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
