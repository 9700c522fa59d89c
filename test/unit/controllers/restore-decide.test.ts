import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/api/backup.ts';
import type { BackupStore } from '../../../src/api/backup-store.ts';
import type { CleanupResult, LoadTask, PlanResult, Report, SwapResult } from '../../../src/api/task.ts';
import { transitions } from '../../../src/controllers/events.ts';
import type { LeaseFacts } from '../../../src/controllers/leases.ts';
import { decide } from '../../../src/controllers/restore/decide.ts';
import { FENCE_MARGIN, type RestoreFacts } from '../../../src/controllers/restore/facts.ts';
import { chooseIdentity } from '../../../src/controllers/restore/identity.ts';
import { stateOf } from '../../../src/controllers/restore/states.ts';
import type { WorkloadFacts } from '../../../src/controllers/restore/workload-facts.ts';
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
import { theSource } from '../../support/restore-source.ts';

const RESOLVED = {
  backupUID: aBackup().metadata.uid,
  path: 'prod/v1/lodz/shop/x/',
  digest: `sha256:${'ab'.repeat(32)}`,
  time: '2026-11-24T12:00:00Z',
};
const PINNED = { resolved: RESOLVED, attempts: 1, startTime: '2026-11-24T12:00:00Z' };
const LOAD_JOB = 'bring-back-load-22222222-1';
const PLAN: PlanResult = {
  refusals: [],
  alreadyRestored: false,
  server: '17.6',
  databaseExists: true,
  objects: 4,
  bytesNeeded: 100,
};
const TASK = {
  command: 'load',
  notAfter: noonPlus(3600).toISOString(),
  store: { secret: 's3' },
  identity: { secret: 'key', key: 'key' },
  database: {
    host: 'pg',
    port: 5432,
    database: 'orders',
    maintenanceDatabase: 'postgres',
    credentials: { secret: 'pg' },
  },
} as unknown as LoadTask;

/** `null`: there is none. */
type World = Omit<RestoreFacts, 'backup' | 'store'> & { backup: Backup | null; store: BackupStore | null };

function facts({ backup = aCompleteBackup(), store = aStore(), ...more }: Partial<World> = {}): RestoreFacts {
  const restore = more.restore ?? aRestore({ status: PINNED });
  const there = { backup: backup ?? undefined, store: store ?? undefined };
  return {
    restore,
    ...theSource(restore, { ...there, runs: more.runs ?? [] }),
    identity: chooseIdentity(restore, aKey({ identity: true })),
    runs: [],
    lock: undefined,
    workloads: [web()],
    settings: SETTINGS,
    ...more,
  };
}

const DEPLOYMENTS = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };

function web(
  more: { replicas?: number; pods?: string[]; lease?: Partial<LeaseFacts> | undefined } = {},
): WorkloadFacts {
  const { replicas = 3, pods = replicas === 0 ? [] : ['web-1'], lease } = more;
  return {
    workload: { kind: 'Deployment', name: 'web' },
    resource: DEPLOYMENTS,
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
    atZero: NOON,
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
const loading = (more: Partial<RunFacts> = {}) => aRun('load', { state: 'active', livingPods: 1, task: TASK, ...more });
const loaded = () => loading({ state: 'succeeded', livingPods: 0, report: { command: 'load', ok: true, result: {} } });
const swapping = (more: Partial<RunFacts> = {}) =>
  aRun('swap', { state: 'active', livingPods: 1, task: { ...TASK, command: 'swap', dropPrevious: false }, ...more });
const swapped = (result: SwapResult = {}) =>
  swapping({ state: 'succeeded', livingPods: 0, report: { command: 'swap', ok: true, result } });
const refusedBy = (command: 'load' | 'check' | 'swap', retry = false): Report => ({
  command,
  ok: false,
  retry,
  failure: { reason: 'LoadFailed', message: 'x' },
});
const cleaned = (result: CleanupResult) => aRun('cleanup', { report: { command: 'cleanup', ok: true, result } });
const asleep = () => web({ replicas: 0, lease: {} });
/** In the order in which they are carried out. */
const actionsOf = (world: RestoreFacts, now = noonPlus(60)) => {
  const { rows = [], actions } = decide(world, now);
  return [...rows.flat(), ...actions];
};
const words = (world: RestoreFacts, now = noonPlus(60)) => actionsOf(world, now).map(({ action }) => action);

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

  test.each<[string, Partial<World>, string]>([
    ['no such backup', { restore: aRestore(), backup: null, store: null }, 'BackupNotFound'],
    ['a backup that is gone and has told nobody where it was', { backup: null }, 'BackupNotFound'],
    ['a backup that is not Complete', { restore: aRestore(), backup: aBackup() }, 'BackupNotComplete'],
    ['no store', { store: null }, 'StoreNotFound'],
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
    expect(status).toMatchObject({ phase: 'Pending', failure: { reason, hint: expect.any(String) } });
  });

  test('a backup that failed is refused at once', () => {
    const backup = aBackup({ status: { conditions: [condition('Failed', 'True')] } });
    expect(decide(facts({ restore: aRestore(), backup }), noonPlus(60)).status?.outcome).toMatchObject({
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
    expect(actions.map(({ action }) => action)).toEqual(['createLease', 'scale', 'annotateLease']);
    expect(JSON.stringify(actions[0])).toContain('"holdfast.dev/replicas":"3"');
    expect(actions[1]).toMatchObject({ replicas: 0, uid: 'web-uid', resourceVersion: '9' });
  });

  test('after a crash between the two, the count that the Lease has is kept', () => {
    const { atZero: _, ...lease } = aLease({});
    const workloads = [{ ...web(), lease }];
    expect(words(facts({ runs: [planned()], workloads }))).toEqual(['scale', 'annotateLease']);
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

  test('it goes on while an app that somebody started is taken down again', () => {
    const world = facts({ runs: [planned(), loading()], workloads: [web({ replicas: 1, lease: {} })] });
    expect(stateOf(world, noonPlus(60))).toMatchObject({ state: 'loading' });
    expect(words(world)).toEqual(['annotateLease', 'scale', 'annotateLease']);
  });

  test.each<[string, Partial<RunFacts>, string]>([
    ['badly', { state: 'failed', livingPods: 0, report: refusedBy('load') }, 'Failed'],
    ['without a word', { state: 'failed', livingPods: 0 }, 'Unknown'],
  ])('a load that ended %s concludes it', (_how, run, result) => {
    const world = facts({ runs: [planned(), loading(run)], workloads: [asleep()] });
    expect(stateOf(world, noonPlus(60))).toMatchObject({ state: 'concluded', outcome: { result } });
  });

  test('a load that found its restore live already concludes it', () => {
    const report: Report = { command: 'load', ok: true, result: { live: {} } };
    const world = facts({
      runs: [planned(), loading({ state: 'succeeded', livingPods: 0, report })],
      workloads: [asleep()],
    });
    expect(stateOf(world, noonPlus(60))).toMatchObject({ state: 'concluded', outcome: { result: 'Restored' } });
  });

  test('the app is not brought back while the runner may still swap', () => {
    const jobName = swapping().name;
    const outcome = { result: 'Unknown' as const, time: '2026-11-24T12:01:00Z' };
    const restore = aRestore({ status: { ...underway, jobName, outcome } });
    const world = facts({ restore, runs: [planned(), loaded(), swapping()], workloads: [asleep()] });
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

describe('once it is loaded', () => {
  const checks = [{ name: 'orders', sql: 'SELECT count(*) > 0 FROM orders', expect: 'true' }];
  const withChecks = (spec: Partial<RestoreFacts['restore']['spec']> = {}) =>
    aRestore({ status: PINNED, spec: { ...aRestore().spec, checks, ...spec } });
  const asked = (passed: boolean) =>
    aRun('check', {
      task: { ...TASK, command: 'check', checks },
      report: {
        command: 'check',
        ok: true,
        result: { checks: [{ name: 'orders', passed, ...(passed ? {} : { found: '0' }) }] },
      },
    });
  const atRest = { workloads: [asleep()] };
  const purposeOf = (world: RestoreFacts, now = noonPlus(60)) =>
    decide(world, now).actions.flatMap((action) =>
      action.action === 'createJob' ? action.job.metadata.labels?.['holdfast.dev/command'] : [],
    );

  test('without checks the swap starts, with ten minutes, and with less where the load had less', () => {
    const { actions, status } = decide(facts({ runs: [planned(), loaded()], ...atRest }), noonPlus(60));
    expect(status?.phase).toBe('Swapping');
    const fence = (written: unknown) => /\\"notAfter\\":\\"([^\\]*)/.exec(JSON.stringify(written))?.[1];
    expect(fence(actions)).toBe(noonPlus(660).toISOString());
    expect(fence(decide(facts({ runs: [planned(), loaded()], ...atRest }), noonPlus(3500)).actions)).toBe(
      TASK.notAfter,
    );
    expect(purposeOf(facts({ runs: [planned(), loaded()], ...atRest }))).toEqual(['swap']);
  });

  test('with checks they come first, and the swap after they hold', () => {
    expect(purposeOf(facts({ restore: withChecks(), runs: [planned(), loaded()], ...atRest }))).toEqual(['check']);
    expect(purposeOf(facts({ restore: withChecks(), runs: [planned(), loaded(), asked(true)], ...atRest }))).toEqual([
      'swap',
    ]);
  });

  test('a check that does not hold fails it, and says what was found', () => {
    const world = facts({ restore: withChecks(), runs: [planned(), loaded(), asked(false)], ...atRest });
    expect(decide(world, noonPlus(60)).status).toMatchObject({
      outcome: {
        result: 'Failed',
        failure: { reason: 'CheckFailed', message: expect.stringContaining('expected true, found 0') },
      },
      checks: [{ name: 'orders', passed: false, found: '0' }],
    });
  });

  test.each([true, false])(
    'keepScratch %s decides whether the clean-up after a failed check drops what was loaded',
    (keepScratch) => {
      const failure = { reason: 'CheckFailed', message: 'x' };
      const base = withChecks({ keepScratch });
      const restore = {
        ...base,
        status: {
          ...PINNED,
          jobName: LOAD_JOB,
          checks: [{ name: 'orders', passed: false }],
          outcome: { result: 'Failed' as const, time: '2026-11-24T12:01:00Z', failure },
        },
      };
      const runs = [planned(), loaded(), asked(false)];
      const { actions } = decide(facts({ restore, runs, workloads: [web()] }), noonPlus(60));
      expect(JSON.stringify(actions)).toContain(`\\"keepScratch\\":${keepScratch}`);
      const over = facts({ restore, runs: [...runs, cleaned({ restored: false })], workloads: [web()] });
      expect(decide(over, noonPlus(60)).status?.scratchDatabase).toBe(
        keepScratch ? `holdfast_scratch_${restore.metadata.uid.replaceAll('-', '')}` : undefined,
      );
    },
  );

  test('nothing goes live while a pod of the app is there', () => {
    const world = facts({ runs: [planned(), loaded()], workloads: [web({ replicas: 0, pods: ['web-9'], lease: {} })] });
    expect(purposeOf(world)).toEqual([]);
  });

  test('nothing goes live after the fence', () => {
    expect(purposeOf(facts({ runs: [planned(), loaded()], ...atRest }), noonPlus(3601))).toEqual([]);
  });

  test.each([
    ['load', 180],
    ['check', 600],
    ['swap', 600],
  ] as const)(
    'a %s that could not begin is tried again, not before its time, for %i s and not for as long as the fence would let it',
    (purpose, seconds) => {
      const task = { load: TASK, check: asked(true).task, swap: swapping().task }[purpose];
      const again = aRun(purpose, {
        state: 'failed',
        report: refusedBy(purpose, true),
        ...(task === undefined ? {} : { task }),
      });
      const before = purpose === 'load' ? [planned()] : [planned(), loaded()];
      const world = facts({ restore: withChecks(), runs: [...before, again], ...atRest });
      expect(stateOf(world, noonPlus(11))).toMatchObject({ state: 'pausing', failure: { reason: 'LoadFailed' } });
      expect(stateOf(world, noonPlus(seconds))).toMatchObject({ attempt: 2 });
      expect(stateOf(world, noonPlus(seconds + 1))).toMatchObject({
        state: 'concluded',
        outcome: { result: 'Failed' },
      });
    },
  );

  test.each<[string, RunFacts, string]>([
    ['well', swapped(), 'Restored'],
    ['badly', swapping({ state: 'failed', livingPods: 0, report: refusedBy('swap') }), 'Failed'],
    ['without a word', swapping({ state: 'failed', livingPods: 0 }), 'Unknown'],
  ])('a swap that ended %s concludes it', (_how, run, result) => {
    const world = facts({ runs: [planned(), loaded(), run], ...atRest });
    expect(stateOf(world, noonPlus(60))).toMatchObject({ state: 'concluded', outcome: { result } });
  });

  test('a pod that appears during the swap ends it, and the outcome is looked up', () => {
    const world = facts({ runs: [planned(), loaded(), swapping()], workloads: [web({ replicas: 1, lease: {} })] });
    expect(stateOf(world, noonPlus(60))).toMatchObject({
      outcome: { result: 'Unknown', failure: { reason: 'ScaleContested' } },
    });
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
    const world = facts({ restore: ended(result), runs: [planned(), over], workloads: [asleep()] });
    expect(actionsOf(world, noonPlus(70))).toMatchObject([{ action: 'scale', replicas: 3 }, { action: 'deleteLease' }]);
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
    const run = swapped({ previousDatabase: 'orders_before_22222222' });
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
    const run = swapped({ previousDatabases });
    const world = facts({ restore: ended('Restored'), runs: [planned(), run], workloads: [web()] });
    expect(decide(world, noonPlus(70)).status).toMatchObject({ phase: 'Complete', previousDatabases });
  });

  test('removes scratch after a failure before it says Failed', () => {
    const world = facts({ restore: ended('Failed'), runs: [planned(), over], workloads: [web()] });
    expect(words(world)).toEqual(['createJob']);
    const done = { ...world, runs: [planned(), over, cleaned({ restored: false })] };
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
    expect(words(facts({ restore, runs: [planned(), gone], workloads: [asleep()] }))).toEqual(['scale', 'deleteLease']);
    expect(words(facts({ restore, runs: [planned(), gone], workloads: [web()] }))).toEqual([]);
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
      backup: null,
      store: null,
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

  describe('that cannot be dropped', () => {
    const due = 120 + 86_400;
    const refused = { reason: 'SecretMissing', message: 'there is no Secret "pg"', hint: 'Make it.' };
    const failed = (more: Partial<RunFacts> = {}) =>
      aRun('expire', {
        state: 'failed',
        ended: noonPlus(due + 5),
        report: { command: 'cleanup', ok: false, retry: true, failure: refused },
        ...more,
      });
    const later = (runs: RunFacts[], seconds: number, restore = complete()) =>
      decide(facts({ restore, runs }), noonPlus(due + seconds));
    const stuck = {
      type: 'PreviousDropped',
      status: 'False',
      reason: 'SecretMissing',
      message:
        'keepPrevious is over, and the replaced database could not be dropped: there is no Secret "pg". Next: Make it.',
    };

    test('is told by a condition and a Warning from the first attempt on, and tried again', () => {
      const { status } = later([failed()], 6);
      expect(status).toMatchObject({ previousDatabase: 'orders_before_22222222' });
      expect(status?.conditions).toEqual([condition('Complete', 'True'), expect.objectContaining(stuck)]);
      expect(transitions(complete().status, status!, [])).toMatchObject([{ type: 'Warning', reason: 'SecretMissing' }]);
      expect(later([failed()], 60).actions).toMatchObject([{ action: 'createJob' }]);
    });

    test('is told where no Job can be made, or its pod does not begin', () => {
      const quota = { reason: 'Forbidden', message: 'exceeded quota' };
      expect(later([], 1).statusOnFailure?.(quota).conditions).toContainEqual(
        expect.objectContaining({ ...stuck, reason: 'Forbidden', message: expect.stringContaining('exceeded quota') }),
      );
      const { report: _, ended: __, ...rest } = failed();
      const job = { uid: 'x', created: noonPlus(due), leaving: false };
      const waiting = { ...rest, job, state: 'active', started: false, livingPods: 0 } as const;
      expect(later([waiting], 5)).toEqual({ actions: [], requeueAfter: 15_000 });
      expect(later([waiting], 20).status?.conditions).toContainEqual(
        expect.objectContaining({ type: 'PreviousDropped', reason: 'PodNotCreated' }),
      );
    });

    test('is said no more once it is gone', () => {
      const told = { ...complete(), status: later([failed()], 6).status! };
      const done = aRun('expire', { attempt: 2, report: { command: 'cleanup', ok: true, result: { restored: true } } });
      expect(later([failed(), done], 60, told).status?.conditions).toEqual([condition('Complete', 'True')]);
    });
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
    expect(left(['b'])).toMatchObject({ previousDatabases: ['a', 'b'] });
    expect(left([])).not.toHaveProperty('previousDatabases');
  });
});

describe('an operator that finds what another one left', () => {
  const ended = {
    result: 'Unknown' as const,
    time: '2026-11-24T12:01:00Z',
    failure: { reason: 'RunnerLost', message: 'x' },
  };
  const lost = swapping({ state: 'failed', livingPods: 0 });
  const concluded = aRestore({ status: { ...PINNED, jobName: LOAD_JOB, outcome: ended } });

  test('asks the database what an unknown outcome is, however long it was away', () => {
    const world = facts({ restore: concluded, runs: [planned(), loaded(), lost], workloads: [web()] });
    expect(words(world, noonPlus(7200))).toEqual(['createJob']);
  });

  test('gives up on a database that does not answer five minutes after it was first asked', () => {
    const asked = aRun('cleanup', { state: 'failed', job: { uid: 'c', created: noonPlus(7200), leaving: false } });
    const lost = loading({ state: 'failed', livingPods: 0 });
    const world = facts({ restore: concluded, runs: [planned(), lost, asked], workloads: [web()] });
    expect(decide(world, noonPlus(7200 + 299)).status?.phase).toBe('Resuming');
    expect(decide(world, noonPlus(7200 + 301)).status?.phase).toBe('Failed');
  });

  test('takes over the count of a Lease whose holder is no more', () => {
    const left = web({ replicas: 0, lease: { holderUid: 'gone', holderAlive: false, replicas: 5 } });
    const { actions } = decide(facts({ runs: [planned()], workloads: [left] }), noonPlus(60));
    expect(actions.map(({ action }) => action)).toEqual(['deleteLease', 'createLease', 'annotateLease']);
    expect(JSON.stringify(actions[1])).toContain('"holdfast.dev/replicas":"5"');
  });

  test('brings back the count of its status where the Lease has lost its own', () => {
    const { replicas: _, ...unreadable } = aLease({});
    const app = { ...web({ replicas: 0 }), lease: unreadable };
    const scaledWorkloads = [{ kind: 'Deployment', name: 'web', uid: 'web-uid', replicas: 3, restored: false }];
    const restore = aRestore({ status: { ...concluded.status, scaledWorkloads } });
    const world = facts({ restore, runs: [planned(), loaded(), lost], workloads: [app] });
    expect(actionsOf(world, noonPlus(70))).toMatchObject([{ action: 'scale', replicas: 3 }, { action: 'deleteLease' }]);
  });

  test('does not let anything go live while it may not look at the app', () => {
    const refused = { reason: 'WorkloadForbidden', message: 'may not get it' };
    const { found: _, ...unseen } = web({ replicas: 0, lease: {} });
    const world = facts({ runs: [planned(), loaded()], workloads: [{ ...unseen, refused }] });
    expect(words(world)).not.toContain('createJob');
  });

  test('gives up where the Lease of a workload is refused for as long as its pods may take', () => {
    const condition = {
      type: 'Quiesced',
      status: 'False',
      reason: 'Quiescing',
      message: '',
      lastTransitionTime: '2026-11-24T12:00:00Z',
      observedGeneration: 1,
    } as const;
    const status = {
      ...PINNED,
      phase: 'Quiescing',
      failure: { reason: 'Forbidden', message: 'quota' },
      conditions: [condition],
    } as const;
    const world = facts({
      restore: aRestore({ status: { ...status, conditions: [...status.conditions] } }),
      runs: [planned()],
    });
    expect(stateOf(world, noonPlus(599))).toMatchObject({ state: 'quiescing' });
    expect(stateOf(world, noonPlus(601))).toMatchObject({ outcome: { failure: { reason: 'QuiesceTimeout' } } });
  });

  test('waits for a Job of 0.2.0, which loads and swaps in one, and asks the database what it came to', () => {
    const task = { ...TASK, command: 'restore' } as unknown as LoadTask;
    const job = (state: 'active' | 'succeeded') => {
      const former = swapping({
        name: 'bring-back-restore-22222222-1',
        state,
        livingPods: state === 'active' ? 1 : 0,
        task,
      });
      return facts({
        restore: aRestore({ status: { ...PINNED, jobName: former.name } }),
        runs: [planned(), former],
        workloads: [asleep()],
      });
    };
    expect(stateOf(job('active'), noonPlus(1800))).toMatchObject({ state: 'swapping' });
    const over = job('succeeded');
    expect(stateOf(over, noonPlus(1800))).toMatchObject({ outcome: { result: 'Unknown' } });
    const restore = { ...over.restore, status: { ...over.restore.status, outcome: ended } };
    const later = { ...over, restore, runs: [...over.runs, cleaned({ restored: true })], workloads: [web()] };
    expect(decide(later, noonPlus(1810)).status?.phase).toBe('Complete');
    const stopped = { ...job('active'), restore };
    expect(words(stopped, noonPlus(1810))).toEqual(['deleteJob']);
  });
});
