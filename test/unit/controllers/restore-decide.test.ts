import { describe, expect, test } from '@jest/globals';
import type { CleanupResult, PlanResult, RestoreTask } from '../../../src/api/task.ts';
import type { LeaseFacts } from '../../../src/controllers/leases.ts';
import { decide } from '../../../src/controllers/restore/decide.ts';
import { FENCE_MARGIN, type RestoreFacts, type WorkloadFacts } from '../../../src/controllers/restore/facts.ts';
import { chooseIdentity } from '../../../src/controllers/restore/identity.ts';
import { stateOf } from '../../../src/controllers/restore/states.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import {
  aBackup,
  aCompleteBackup,
  aKey,
  aRestore,
  aStore,
  condition,
  NOON,
  noonPlus,
  SETTINGS,
} from '../../support/builders.ts';

const RESOLVED = {
  backupUID: aBackup().metadata.uid,
  path: 'prod/v1/lodz/shop/x/',
  digest: `sha256:${'ab'.repeat(32)}`,
  time: '2026-11-24T12:00:00Z',
};
const PINNED = { resolved: RESOLVED, attempts: 1, startTime: '2026-11-24T12:00:00Z' };
const LOAD_JOB = 'bring-back-restore-22222222-1';
const PLAN: PlanResult = {
  refusals: [],
  alreadyRestored: false,
  server: '17.6',
  databaseExists: true,
  objects: 4,
  bytesNeeded: 100,
};
const TASK = {
  command: 'restore',
  notAfter: noonPlus(3600).toISOString(),
  database: {
    host: 'pg',
    port: 5432,
    database: 'orders',
    maintenanceDatabase: 'postgres',
    credentials: { secret: 'pg' },
  },
} as unknown as RestoreTask;

function facts(more: Partial<RestoreFacts> = {}): RestoreFacts {
  const restore = more.restore ?? aRestore({ status: PINNED });
  return {
    restore,
    backup: aCompleteBackup(),
    store: aStore(),
    identity: chooseIdentity(restore, aKey({ identity: true })),
    runs: [],
    lock: undefined,
    workloads: [web()],
    settings: SETTINGS,
    ...more,
  };
}

function web(
  more: { replicas?: number; pods?: string[]; lease?: Partial<LeaseFacts> | undefined } = {},
): WorkloadFacts {
  const { replicas = 3, pods = replicas === 0 ? [] : ['web-1'], lease } = more;
  return {
    workload: { kind: 'Deployment', name: 'web' },
    found: { uid: 'web-uid', resourceVersion: '9', replicas, pods },
    ...(lease === undefined ? {} : { lease: aLease(lease) }),
  };
}

function aLease(more: Partial<LeaseFacts>): LeaseFacts {
  const holderUid = aRestore().metadata.uid;
  return {
    namespace: 'shop',
    name: 'holdfast-scale-1',
    uid: 'lease',
    resourceVersion: '3',
    holderUid,
    holder: 'Restore shop/bring-back',
    holderAlive: true,
    replicas: 3,
    acquired: NOON,
    ...more,
  };
}

function aRun(purpose: RunFacts['purpose'], more: Partial<RunFacts> = {}): RunFacts {
  const job = { uid: `${purpose}-uid`, created: NOON, leaving: false };
  return {
    purpose,
    attempt: 1,
    name: `bring-back-${purpose}-22222222-1`,
    job,
    state: 'succeeded',
    ended: noonPlus(10),
    livingPods: 0,
    started: true,
    ...more,
  };
}

const planned = (more: Partial<PlanResult> = {}) =>
  aRun('plan', { report: { command: 'plan', ok: true, result: { ...PLAN, ...more } } });
const loading = (more: Partial<RunFacts> = {}) =>
  aRun('restore', { state: 'active', livingPods: 1, task: TASK, ...more });
const cleaned = (result: CleanupResult) => aRun('cleanup', { report: { command: 'cleanup', ok: true, result } });
const asleep = () => web({ replicas: 0, lease: {} });
const words = (world: RestoreFacts, now = noonPlus(60)) => decide(world, now).actions.map(({ action }) => action);

describe('before anything is touched', () => {
  test('the finalizer is the very first thing', () => {
    const world = facts({ restore: aRestore({ metadata: { finalizers: [] } }) });
    expect(decide(world, NOON)).toEqual({ actions: [{ action: 'addFinalizer', finalizer: 'holdfast.dev/restore' }] });
  });

  test('the archive is pinned with its digest before a Job is made', () => {
    const { actions, status } = decide(facts({ restore: aRestore() }), NOON);
    expect(actions).toEqual([]);
    expect(status?.resolved).toMatchObject({
      path: 'prod/v1/lodz/shop/_manual/20261124T120000Z-11111111/',
      digest: RESOLVED.digest,
    });
  });

  test('the database is locked, then archive and target are looked at', () => {
    expect(words(facts())).toEqual(['createLease', 'createJob']);
  });

  test.each<[string, Partial<RestoreFacts>, string]>([
    ['no such backup', { backup: undefined, store: undefined }, 'BackupNotFound'],
    ['a backup that is not Complete', { backup: aBackup() }, 'BackupNotComplete'],
    ['no store', { store: undefined }, 'StoreNotFound'],
    ['no private key', { identity: chooseIdentity(aRestore(), aKey()) }, 'NoIdentity'],
    [
      'a backup made anew under the same name',
      { restore: aRestore({ status: { ...PINNED, resolved: { ...RESOLVED, backupUID: 'other' } } }) },
      'BackupReplaced',
    ],
    [
      'somebody at work on the database',
      { lock: aLease({ holderUid: 'other', holder: 'Backup shop/nightly' }) },
      'DatabaseBusy',
    ],
  ])('it waits for %s', (_what, more, reason) => {
    const { actions, status } = decide(facts(more), noonPlus(60));
    expect(actions).toEqual([]);
    expect(status).toMatchObject({ phase: 'Pending', failure: { reason } });
  });

  test('a backup that failed is refused at once', () => {
    const backup = aBackup({ status: { conditions: [condition('Failed', 'True')] } });
    expect(decide(facts({ backup }), noonPlus(60)).status?.outcome).toMatchObject({
      result: 'Failed',
      failure: { reason: 'BackupFailed' },
    });
  });

  test('a refusal of the plan ends it, and the app was never touched', () => {
    const refusals = [{ reason: 'RightMissing', message: 'no CREATEDB', hint: 'ALTER ROLE app CREATEDB' }];
    const { actions, status } = decide(facts({ runs: [planned({ refusals })] }), noonPlus(60));
    expect(actions).toEqual([]);
    expect(status?.outcome).toMatchObject({ result: 'Failed', failure: { reason: 'RightMissing' } });
  });

  test('a restore that was live before ends Complete with the reason AlreadyRestored', () => {
    const outcome = { result: 'AlreadyRestored', time: '2026-11-24T12:00:30Z' } as const;
    const world = facts({
      restore: aRestore({ status: { ...PINNED, outcome } }),
      runs: [planned({ alreadyRestored: true })],
    });
    expect(decide(world, noonPlus(60)).status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Complete', status: 'True', reason: 'AlreadyRestored' }),
    );
  });

  test('a workload that is not there is a failure before any other is scaled', () => {
    const world = facts({
      runs: [planned()],
      workloads: [web(), { workload: { kind: 'StatefulSet', name: 'worker' } }],
    });
    const { actions, status } = decide(world, noonPlus(60));
    expect(actions).toEqual([]);
    expect(status?.outcome).toMatchObject({ failure: { reason: 'WorkloadNotFound' } });
  });
});

describe('the app goes to zero', () => {
  test('its count is in the Lease before it is touched', () => {
    const { actions } = decide(facts({ runs: [planned()] }), noonPlus(60));
    expect(actions.map(({ action }) => action)).toEqual(['createLease', 'scale']);
    expect(JSON.stringify(actions[0])).toContain('"holdfast.dev/replicas":"3"');
    expect(actions[1]).toMatchObject({ replicas: 0, uid: 'web-uid', resourceVersion: '9' });
  });

  test('after a crash between the two, the count that the Lease has is kept', () => {
    const { actions } = decide(facts({ runs: [planned()], workloads: [web({ lease: {} })] }), noonPlus(60));
    expect(actions.map(({ action }) => action)).toEqual(['scale']);
  });

  test('nothing is loaded while a pod is there, one that is being deleted included', () => {
    const world = facts({ runs: [planned()], workloads: [web({ replicas: 0, pods: ['web-1'], lease: {} })] });
    expect(decide(world, noonPlus(60))).toMatchObject({ actions: [], status: { phase: 'Quiescing' } });
  });

  test('pods that do not go in time end the restore, with the app up', () => {
    const world = facts({ runs: [planned()], workloads: [web({ replicas: 0, pods: ['web-1'], lease: {} })] });
    expect(decide(world, noonPlus(601)).status?.outcome).toMatchObject({ failure: { reason: 'QuiesceTimeout' } });
  });

  test('loading starts when no pod is left, and carries its fence', () => {
    const { actions } = decide(facts({ runs: [planned()], workloads: [asleep()] }), noonPlus(60));
    expect(actions.map(({ action }) => action)).toEqual(['createJob']);
    expect(JSON.stringify(actions)).toContain(noonPlus(60 + 3600).toISOString());
  });

  test('without workloads loading starts at once', () => {
    expect(words(facts({ runs: [planned()], workloads: [] }))).toEqual(['createJob']);
  });
});

describe('while it loads', () => {
  const underway = { ...PINNED, jobName: LOAD_JOB };

  test('a pod of the app that somebody started is noticed, and the outcome is looked up', () => {
    const world = facts({ runs: [planned(), loading()], workloads: [web({ replicas: 1, lease: {} })] });
    expect(stateOf(world, noonPlus(60))).toMatchObject({
      state: 'concluded',
      outcome: { result: 'Unknown', failure: { reason: 'ScaleContested' } },
    });
  });

  test.each<[string, Partial<RunFacts>, string]>([
    ['well', { state: 'succeeded', livingPods: 0, report: { command: 'restore', ok: true, result: {} } }, 'Restored'],
    [
      'badly',
      {
        state: 'failed',
        livingPods: 0,
        report: { command: 'restore', ok: false, retry: false, failure: { reason: 'LoadFailed', message: 'x' } },
      },
      'Failed',
    ],
    ['without a word', { state: 'failed', livingPods: 0 }, 'Unknown'],
  ])('a runner that ended %s concludes it', (_how, run, result) => {
    const world = facts({ runs: [planned(), loading(run)], workloads: [asleep()] });
    expect(stateOf(world, noonPlus(60))).toMatchObject({ state: 'concluded', outcome: { result } });
  });

  test('the app is not brought back while the runner may still swap', () => {
    const restore = aRestore({ status: { ...underway, outcome: { result: 'Unknown', time: '2026-11-24T12:01:00Z' } } });
    const world = facts({ restore, runs: [planned(), loading()], workloads: [asleep()] });
    expect(words(world, noonPlus(60))).toEqual(['deleteJob']);
    expect(words(world, new Date(noonPlus(3600).getTime() + FENCE_MARGIN - 1))).toEqual(['deleteJob']);
    expect(words(world, new Date(noonPlus(3600).getTime() + FENCE_MARGIN))).toEqual(['scale', 'deleteLease']);
  });

  test('our note of the load Job is written before the Job is deleted', () => {
    const restore = aRestore({ status: { ...PINNED, outcome: { result: 'Unknown', time: '2026-11-24T12:01:00Z' } } });
    const { actions, status } = decide(
      facts({ restore, runs: [planned(), loading()], workloads: [asleep()] }),
      noonPlus(60),
    );
    expect(actions).toEqual([]);
    expect(status?.jobName).toBe(LOAD_JOB);
  });
});

describe('the ending', () => {
  const outcome = (result: 'Restored' | 'Failed' | 'Unknown') => ({
    result,
    time: '2026-11-24T12:01:00Z',
    ...(result === 'Restored' ? {} : { failure: { reason: 'LoadFailed', message: 'x' } }),
  });
  const ended = (result: 'Restored' | 'Failed' | 'Unknown') =>
    aRestore({
      status: {
        ...PINNED,
        jobName: LOAD_JOB,
        outcome: outcome(result),
        scaledWorkloads: [{ kind: 'Deployment', name: 'web', uid: 'web-uid', replicas: 3, restored: false }],
      },
    });
  const over = loading({ state: 'failed', livingPods: 0 });

  test.each(['Restored', 'Failed', 'Unknown'] as const)('brings the app back to its count when it %s', (result) => {
    const { actions } = decide(
      facts({ restore: ended(result), runs: [planned(), over], workloads: [asleep()] }),
      noonPlus(70),
    );
    expect(actions).toMatchObject([{ action: 'scale', replicas: 3 }, { action: 'deleteLease' }]);
  });

  test('leaves a count alone that somebody set meanwhile', () => {
    const world = facts({
      restore: ended('Failed'),
      runs: [planned(), over],
      workloads: [web({ replicas: 5, lease: {} })],
    });
    expect(words(world)).toEqual(['deleteLease']);
  });

  test('keeps an app at zero that was at zero', () => {
    const world = facts({
      restore: ended('Failed'),
      runs: [planned(), over],
      workloads: [web({ replicas: 0, lease: { replicas: 0 } })],
    });
    expect(words(world)).toEqual(['deleteLease']);
  });

  test('never touches the count that another restore took', () => {
    const world = facts({
      restore: ended('Restored'),
      runs: [planned(), over],
      workloads: [web({ replicas: 0, lease: { holderUid: 'other' } })],
    });
    expect(words(world)).toEqual([]);
  });

  test('then frees the lock, says Complete and lets go of the object', () => {
    const run = loading({
      state: 'succeeded',
      livingPods: 0,
      report: { command: 'restore', ok: true, result: { previousDatabase: 'orders_before_22222222' } },
    });
    const decision = decide(
      facts({ restore: ended('Restored'), runs: [planned(), run], workloads: [web()], lock: aLease({}) }),
      noonPlus(70),
    );
    expect(decision.actions).toMatchObject([{ action: 'deleteLease' }]);
    expect(decision.status).toMatchObject({
      phase: 'Complete',
      previousDatabase: 'orders_before_22222222',
      scaledWorkloads: [{ restored: true }],
    });
    expect(decision.afterStatus).toEqual([{ action: 'removeFinalizer', finalizer: 'holdfast.dev/restore' }]);
  });

  test('of a whole server names all databases that were replaced', () => {
    const previousDatabases = ['orders_before_22222222', 'stock_before_22222222'];
    const report = { command: 'restore', ok: true, result: { previousDatabases } } as const;
    const run = loading({ state: 'succeeded', livingPods: 0, report });
    const world = facts({ restore: ended('Restored'), runs: [planned(), run], workloads: [web()] });
    expect(decide(world, noonPlus(70)).status).toMatchObject({ phase: 'Complete', previousDatabases });
  });

  test('removes scratch after a failure before it says Failed', () => {
    const world = facts({ restore: ended('Failed'), runs: [planned(), over], workloads: [web()] });
    expect(words(world)).toEqual(['createJob']);
    const done = facts({ ...world, runs: [planned(), over, cleaned({ restored: false })] });
    expect(decide(done, noonPlus(80)).status).toMatchObject({ phase: 'Failed', failure: { reason: 'LoadFailed' } });
  });

  test('believes the database, not the silence: a swap that was committed is Complete', () => {
    const world = facts({
      restore: ended('Unknown'),
      runs: [planned(), over, cleaned({ restored: true, previousDatabase: 'p' })],
      workloads: [web()],
    });
    expect(decide(world, noonPlus(80)).status).toMatchObject({ phase: 'Complete', previousDatabase: 'p' });
  });

  test('gives up on a target that does not answer, and says what may be left', () => {
    const silent = aRun('cleanup', {
      state: 'failed',
      report: { command: 'cleanup', ok: false, retry: true, failure: { reason: 'DatabaseUnreachable', message: 'x' } },
    });
    const world = facts({ restore: ended('Failed'), runs: [planned(), over, silent], workloads: [web()] });
    expect(decide(world, noonPlus(70)).status?.phase).toBe('Resuming');
    const { status } = decide(world, noonPlus(60 + 301));
    expect(status?.phase).toBe('Failed');
    expect(status?.failure?.hint).toContain('holdfast_scratch_');
  });
});

describe('a Restore that is deleted half-way', () => {
  const leaving = (status: object = {}) =>
    aRestore({ metadata: { deletionTimestamp: '2026-11-24T12:01:00Z' }, status: { ...PINNED, ...status } });

  test('stops its runner, brings the app back, removes scratch, and only then goes', () => {
    const restore = leaving({ jobName: LOAD_JOB });
    expect(words(facts({ restore, runs: [planned(), loading()], workloads: [asleep()] }))).toEqual(['deleteJob']);
    const { job: _, ...gone } = loading({ state: 'gone', livingPods: 1 });
    expect(words(facts({ restore, runs: [planned(), gone], workloads: [asleep()] }))).toEqual([]);
    expect(words(facts({ restore, runs: [planned()], workloads: [asleep()] }))).toEqual(['scale', 'deleteLease']);
    expect(words(facts({ restore, runs: [planned()], workloads: [web()] }))).toEqual(['createJob']);
    const last = facts({
      restore,
      runs: [planned(), cleaned({ restored: false })],
      workloads: [web()],
      lock: aLease({}),
    });
    expect(words(last)).toEqual(['deleteLease', 'removeFinalizer']);
  });

  test('goes at once when nothing was begun', () => {
    expect(words(facts({ restore: leaving({}), workloads: [web()] }))).toEqual(['removeFinalizer']);
  });

  test('does not hang on a target that is gone', () => {
    const world = facts({
      restore: leaving({ jobName: LOAD_JOB }),
      backup: undefined,
      store: undefined,
      workloads: [web()],
    });
    expect(words(world, noonPlus(70))).toEqual(['removeFinalizer']);
  });
});

describe('the replaced database', () => {
  const complete = () =>
    aRestore({
      metadata: { finalizers: [] },
      status: {
        ...PINNED,
        previousDatabase: 'orders_before_22222222',
        completionTime: '2026-11-24T12:02:00Z',
        conditions: [condition('Complete', 'True')],
      },
    });

  test('stays for as long as keepPrevious says', () => {
    expect(decide(facts({ restore: complete() }), noonPlus(120))).toEqual({ actions: [], requeueAfter: 86_400_000 });
  });

  test('is dropped by a Job afterwards, and then forgotten', () => {
    const late = noonPlus(120 + 86_400);
    const { actions } = decide(facts({ restore: complete() }), late);
    expect(JSON.stringify(actions)).toContain('\\"dropPrevious\\":true');
    const run = aRun('expire', { report: { command: 'cleanup', ok: true, result: { restored: true } } });
    expect(decide(facts({ restore: complete(), runs: [run] }), late).status).not.toHaveProperty('previousDatabase');
  });

  test('is not forgotten while one of many is left', () => {
    const late = noonPlus(120 + 86_400);
    const { previousDatabase: _, ...status } = complete().status ?? {};
    const restore = { ...complete(), status: { ...status, previousDatabases: ['a', 'b'] } };
    expect(JSON.stringify(decide(facts({ restore }), late).actions)).toContain('\\"dropPrevious\\":true');
    const left = (previousDatabases: readonly string[]) => {
      const report = { command: 'cleanup', ok: true, result: { restored: true, previousDatabases } } as const;
      return decide(facts({ restore, runs: [aRun('expire', { report })] }), late).status;
    };
    expect(left(['b'])).toBeUndefined();
    expect(left([])).not.toHaveProperty('previousDatabases');
  });
});
