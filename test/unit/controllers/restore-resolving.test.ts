/** From a Restore to the archive that is pinned: what is asked, what is written down, and in which order. */
import { describe, expect, test } from '@jest/globals';
import type { RestoreSpec, RestoreStatus } from '../../../src/api/restore.ts';
import type { CatalogResult, Report, Task } from '../../../src/api/task.ts';
import type { Action } from '../../../src/controllers/action.ts';
import { decide } from '../../../src/controllers/restore/decide.ts';
import type { RestoreFacts } from '../../../src/controllers/restore/facts.ts';
import { chooseIdentity } from '../../../src/controllers/restore/identity.ts';
import { stateOf } from '../../../src/controllers/restore/states.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import { parseTask } from '../../../src/runner/task.ts';
import { aKey, aRestore, BACKED_UP, NOON, noonPlus, SETTINGS } from '../../support/builders.ts';
import { theSource } from '../../support/restore-source.ts';
import { type Fate, LOADED, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

const PATH = 'prod/v1/lodz/shop/nightly/20261124T020000Z-1a2b3c4d/';
const SPEC: Partial<RestoreSpec> = {
  from: { archive: { storeRef: { name: 'cellar' }, path: PATH } },
  target: { postgresql: { host: 'pg.new.svc', credentials: { secretRef: { name: 'new' } } } },
};
const FOUND: CatalogResult = {
  manifestDigest: `sha256:${'cd'.repeat(32)}`,
  cluster: 'lodz',
  namespace: 'shop',
  backup: { name: 'nightly', uid: 'b' },
  dataTime: '2026-11-24T02:00:00.000Z',
  server: { engine: 'postgresql', version: '17.6' },
  scope: 'Database',
  verification: { level: 'ReadBack', time: '2026-11-24T02:01:00.000Z' },
  database: 'orders',
};

const PINNED = {
  resolved: {
    backup: 'nightly',
    backupUID: 'b',
    store: 'cellar',
    path: PATH,
    digest: 'sha256:1',
    time: NOON.toISOString(),
  },
  target: {
    postgresql: {
      host: 'pg.shop.svc',
      port: 5432,
      database: 'orders',
      maintenanceDatabase: 'postgres',
      credentials: { secretRef: { name: 'pg' } },
    },
  },
} as const satisfies RestoreStatus;

const aDrill = (status: RestoreStatus) =>
  aRestore({ spec: { from: { backupRef: { name: 'nightly' } }, target: { ephemeral: {} } }, status });

interface World {
  readonly spec?: Partial<RestoreSpec>;
  readonly status?: RestoreStatus;
  readonly metadata?: object;
  readonly runs?: readonly RunFacts[];
  readonly key?: ReturnType<typeof aKey>;
}

function facts({ spec = SPEC, status, metadata = {}, runs = [], key = aKey({ identity: true }) }: World): RestoreFacts {
  const restore = aRestore({ spec, metadata, ...(status === undefined ? {} : { status }) });
  return {
    restore,
    ...theSource(restore, { backup: undefined, runs }),
    identity: chooseIdentity(restore, key),
    runs,
    lock: undefined,
    workloads: [],
    settings: SETTINGS,
  };
}

function asked(report: Report | undefined, more: Partial<RunFacts> = {}): RunFacts {
  return {
    purpose: 'catalog',
    attempt: 1,
    name: 'bring-back-catalog-22222222-1',
    job: { uid: 'j', created: NOON, leaving: false },
    state: report?.ok === true ? 'succeeded' : 'failed',
    ended: noonPlus(5),
    livingPods: 0,
    started: true,
    task: { command: 'catalog', store: {} as never, folder: PATH },
    ...(report === undefined ? {} : { report }),
    ...more,
  };
}

const answered = asked({ command: 'catalog', ok: true, result: FOUND });
const refused = (retry: boolean) =>
  asked({ command: 'catalog', ok: false, retry, failure: { reason: 'StoreUnreachable', message: 'no answer' } });
const atWork = asked(undefined, { state: 'active', livingPods: 1 });

function jobOf(actions: readonly Action[]) {
  const made = actions.find((action) => action.action === 'createJob');
  if (made?.action !== 'createJob') throw new Error('no Job is made');
  const { template } = made.job.spec as {
    template: { metadata: { annotations: Record<string, string> }; spec: object };
  };
  return {
    name: made.job.metadata.name,
    task: parseTask(template.metadata.annotations['holdfast.dev/task'] ?? ''),
    pod: JSON.stringify(template.spec),
  };
}

describe('an archive that is named by its path', () => {
  test('is asked for by a Job that gets no Secret of the database, and nothing is locked', () => {
    const { actions, status } = decide(facts({}), NOON);
    expect(actions.map(({ action }) => action)).toEqual(['createJob']);
    const { name, task, pod } = jobOf(actions);
    expect(name).toBe('bring-back-catalog-22222222-1');
    expect(task).toMatchObject({ command: 'catalog', folder: PATH, identity: { secret: 'private', key: 'identity' } });
    expect(pod).toContain('"secretName":"private"');
    expect(pod).not.toContain('"secretName":"new"');
    expect(status).toMatchObject({ phase: 'Resolving', jobName: name, startTime: '2026-11-24T12:00:00Z' });
    expect(status?.resolved).toBeUndefined();
  });

  test('is asked for without the private key where the Restore names the database', () => {
    const target = { postgresql: { ...SPEC.target!.postgresql!, database: 'copy' } };
    const { task, pod } = jobOf(decide(facts({ spec: { ...SPEC, target }, key: aKey() }), NOON).actions);
    expect(task).not.toHaveProperty('identity');
    expect(pod).not.toContain('"secretName":"private"');
  });

  test('is pinned with what the Job found before anything else, and then looked at', () => {
    const { actions, status } = decide(facts({ runs: [answered] }), noonPlus(6));
    expect(actions).toEqual([]);
    expect(status?.resolved).toEqual({
      store: 'cellar',
      path: PATH,
      digest: FOUND.manifestDigest,
      time: '2026-11-24T02:00:00Z',
      cluster: 'lodz',
      namespace: 'shop',
      database: 'orders',
    });
    const next = decide(facts({ runs: [answered], status: status! }), noonPlus(7));
    expect(next.actions.map(({ action }) => action)).toEqual(['createLease', 'createJob']);
    expect(jobOf(next.actions).task).toMatchObject({
      command: 'plan',
      archive: { folder: PATH, manifestDigest: FOUND.manifestDigest, cluster: 'lodz', namespace: 'shop' },
      database: { host: 'pg.new.svc', port: 5432, database: 'orders', credentials: { secret: 'new' } },
    });
    expect(JSON.stringify(next.actions[0])).toContain('pg.new.svc:5432/orders');
  });

  test('stays pinned when the Job that found it is gone', () => {
    const { status } = decide(facts({ runs: [answered] }), noonPlus(6));
    expect(stateOf(facts({ status: status! }), noonPlus(9)).state).toBe('plannable');
  });

  test('waits for the private key before it asks what only that can tell', () => {
    const { actions, status } = decide(facts({ key: aKey() }), NOON);
    expect(actions).toEqual([]);
    expect(status).toMatchObject({ phase: 'Pending', failure: { reason: 'NoIdentity' } });
    const keyless = { ...facts({}), identity: chooseIdentity(aRestore({ spec: SPEC }), undefined) };
    expect(decide(keyless, NOON).status?.failure?.message).toContain('no BackupKey that is its default');
  });

  test('is asked for again after a pause, until the deadline', () => {
    const world = facts({ runs: [refused(true)], status: { startTime: '2026-11-24T12:00:00Z' } });
    const pause = decide(world, noonPlus(6));
    expect(pause).toMatchObject({ actions: [], status: { failure: { reason: 'StoreUnreachable' } } });
    expect(pause.requeueAfter).toBeGreaterThan(0);
    const again = decide(world, noonPlus(30));
    expect(jobOf(again.actions).name).toBe('bring-back-catalog-22222222-2');
    // The pause grows with the time since the first.
    expect(again.status?.startTime).toBe('2026-11-24T12:00:00Z');
    expect(stateOf(world, noonPlus(3_601))).toMatchObject({
      state: 'concluded',
      outcome: { result: 'Failed', failure: { reason: 'StoreUnreachable' } },
    });
  });

  test.each<[string, RunFacts, string]>([
    ['what can never succeed', refused(false), 'StoreUnreachable'],
    ['somebody else', asked({ command: 'catalog', ok: true, result: { ...FOUND, namespace: 'bank' } }), 'Foreign'],
  ])('of %s is a failure at once', (_what, run, reason) => {
    expect(stateOf(facts({ runs: [run] }), noonPlus(6))).toMatchObject({
      state: 'concluded',
      outcome: { result: 'Failed', failure: { reason } },
    });
  });

  test('is waited for while the Job is at work, but not longer than a start may take', () => {
    expect(decide(facts({ runs: [atWork] }), noonPlus(1))).toMatchObject({
      actions: [],
      status: { phase: 'Resolving', jobName: atWork.name },
    });
    const stuck = asked(undefined, { state: 'active', livingPods: 1, started: false });
    expect(stateOf(facts({ runs: [stuck] }), noonPlus(3_601)).state).toBe('concluded');
  });

  test('is not asked for any more once the Restore is deleted, or over', () => {
    const leaving = facts({ runs: [atWork], metadata: { deletionTimestamp: NOON.toISOString() } });
    expect(decide(leaving, noonPlus(1)).actions).toMatchObject([{ action: 'deleteJob', name: atWork.name }]);
    const outcome = { result: 'Failed', time: '2026-11-24T12:00:00Z' } as const;
    expect(decide(facts({ runs: [atWork], status: { outcome } }), noonPlus(1)).actions).toMatchObject([
      { action: 'deleteJob', name: atWork.name },
    ]);
  });
});

describe('what was chosen is pinned', () => {
  test('before the private key, the store or the database is asked for', () => {
    const restore = aRestore();
    const world = {
      ...facts({ spec: aRestore().spec, key: aKey() }),
      restore,
      ...theSource(restore, { store: undefined }),
    };
    expect(decide(world, NOON)).toMatchObject({
      actions: [],
      status: { resolved: { backup: 'nightly', store: 'cellar' } },
    });
  });

  test('with where it goes, and a restore whose Backup is deleted then goes on', () => {
    const restore = aRestore();
    const chosen = decide({ ...facts({ spec: restore.spec }), restore, ...theSource(restore) }, NOON).status!;
    expect(chosen.target?.postgresql).toMatchObject({ host: 'pg.shop.svc', database: 'orders' });
    const pinned = aRestore({ status: { ...chosen, attempts: 1 } });
    const gone = { ...facts({}), restore: pinned, ...theSource(pinned, { backup: undefined }) };
    const there = { ...facts({}), restore: pinned, ...theSource(pinned) };
    const { task } = jobOf(decide(there, noonPlus(1)).actions);
    expect(task).toMatchObject({ command: 'plan', database: { host: 'pg.shop.svc', database: 'orders' } });
    expect(jobOf(decide(gone, noonPlus(1)).actions).task).toEqual(task);
  });

  test('and the key that its plan was told counts where the Backup that named it is gone', () => {
    const told = { secret: 'of-the-backup', key: 'k' };
    expect(chooseIdentity(aRestore(), undefined, told)).toEqual(told);
    expect(chooseIdentity(aRestore(), aKey({ identity: true }), told)).toEqual(told);
    const own = { secretRef: { name: 'own', key: 'k' } };
    expect(chooseIdentity(aRestore({ spec: { identity: own } }), undefined, told)).toEqual({ secret: 'own', key: 'k' });
  });

  test('and what was told to the plan counts where nothing was noted', () => {
    const restore = aRestore();
    const { target: _, ...chosen } = decide({ ...facts({}), restore, ...theSource(restore) }, NOON).status!;
    const pinned = aRestore({ status: { ...chosen, attempts: 1 } });
    const { task } = jobOf(decide({ ...facts({}), restore: pinned, ...theSource(pinned) }, noonPlus(1)).actions);
    const plan: RunFacts = {
      ...asked(undefined, { purpose: 'plan', name: 'bring-back-plan-22222222-2', attempt: 2, task }),
      report: { command: 'plan', ok: false, retry: true, failure: { reason: 'HostUnreachable', message: 'm' } },
    };
    const gone = {
      ...facts({}),
      restore: pinned,
      runs: [plan],
      ...theSource(pinned, { backup: undefined, runs: [plan] }),
    };
    expect(jobOf(decide(gone, noonPlus(60)).actions).task).toEqual(task);
  });
});

describe('an archive that retention is removing', () => {
  const pinned = aRestore({ status: { ...PINNED, attempts: 1 } });
  const waits = { state: 'waiting', failure: { reason: 'ArchiveRemoved' } };
  const fails = { state: 'concluded', outcome: { result: 'Failed', failure: { reason: 'ArchiveRemoved' } } };
  const planned = asked(PLAN_REPORT, { purpose: 'plan', name: 'bring-back-plan-22222222-1' });

  function world(prune: Partial<RunFacts>, runs: readonly RunFacts[] = [], restore = pinned): RestoreFacts {
    const archives = [{ folder: PINNED.resolved.path, manifestDigest: 'd', backupUid: 'b' }];
    const task = { command: 'prune', store: {}, cluster: 'lodz', namespace: 'shop', archives } as unknown as Task;
    const run = asked(undefined, { purpose: 'prune', name: 'nightly-prune-1', task, ...prune });
    return { ...facts({}), restore, runs, ...theSource(restore, { runs, prunes: [run] }) };
  }

  const active = { state: 'active', livingPods: 1 } as const;
  const done = { report: { command: 'prune', ok: true, result: { removed: [0] } } } as const;
  const refused = { report: { command: 'prune', ok: true, result: { removed: [] } } } as const;

  test.each<[string, RestoreFacts, object]>([
    ['is waited for before the plan', world(active), waits],
    ['is nothing to look at once it is removed', world(done), fails],
    ['is looked at where the store refused', world(refused), { state: 'plannable' }],
    ['is found before the app is touched', world(active, [planned]), fails],
    ['is found though it was removed since the plan', world(done, [planned]), fails],
    ['goes live where the store refused', world(refused, [planned]), { state: 'loadable' }],
    ['is waited for by a drill', world(active, [], aDrill(PINNED)), waits],
    ['ends a drill once it is removed', world(done, [], aDrill(PINNED)), fails],
  ])('%s', (_what, facts_, expected) => {
    expect(stateOf(facts_, noonPlus(60))).toMatchObject(expected);
  });

  test('ends a restore that waited for it too long', () => {
    expect(stateOf(world(active), noonPlus(3_601))).toMatchObject(fails);
  });

  test('changes nothing once loading has begun: the load finds out by itself', () => {
    const load = asked(undefined, { ...active, purpose: 'load', name: 'bring-back-load-22222222-1' });
    expect(stateOf(world(active, [planned, load]), noonPlus(60)).state).toBe('loading');
  });
});

describe('an operator that is killed before any of its writes', () => {
  /** Each time the archive is asked for there is another manifest: whoever asks twice finds out. */
  function aWorld(crashAt?: number): RestoreWorld {
    let asked_ = 0;
    const fate: Fate = (purpose) => {
      switch (purpose) {
        case 'catalog':
          asked_ += 1;
          return {
            command: 'catalog',
            ok: true,
            result: { ...FOUND, manifestDigest: `sha256:${`${asked_}`.repeat(64)}` },
          };
        case 'plan':
          return PLAN_REPORT;
        case 'backup':
          return BACKED_UP;
        case 'load':
          return LOADED;
        default:
          return { command: 'swap', ok: true, result: {} };
      }
    };
    const world = new RestoreWorld(fate, crashAt);
    world.restore = aRestore({ spec: { ...SPEC, safetyBackup: true }, metadata: { finalizers: [] } });
    return world;
  }

  /** Every pin that the status ever had. */
  function pinsOf(world: RestoreWorld): Set<string> {
    const pins = new Set<string>();
    for (let look = 0; look < 300; look += 1) {
      world.step();
      const pin = world.restore?.status?.resolved;
      if (pin !== undefined) pins.add(pin.digest);
    }
    return pins;
  }

  test('pins one archive, and that one goes live', () => {
    const reference = aWorld();
    pinsOf(reference);
    expect(reference.done).toBeGreaterThan(8);
    for (let crashAt = 1; crashAt <= reference.done; crashAt += 1) {
      const world = aWorld(crashAt);
      const pins = [...pinsOf(world)];
      const loaded = [...world.jobs.values()].flatMap(({ run }) =>
        run.task?.command === 'load' ? run.task.archive : [],
      );
      expect({ crashAt, phase: world.restore?.status?.phase, live: world.live, pins: pins.length }).toEqual({
        crashAt,
        phase: 'Complete',
        live: 'new',
        pins: 1,
      });
      expect(loaded.map(({ manifestDigest }) => manifestDigest)).toEqual(pins);
    }
  });
});
