import { describe, expect, test } from '@jest/globals';
import type { RestoreSpec, RestoreStatus } from '../../../src/api/restore.ts';
import type { DrillResult, DrillTask, ExamineResult, Report } from '../../../src/api/task.ts';
import type { Action } from '../../../src/controllers/action.ts';
import { decide } from '../../../src/controllers/restore/decide.ts';
import type { RestoreFacts } from '../../../src/controllers/restore/facts.ts';
import { chooseIdentity } from '../../../src/controllers/restore/identity.ts';
import { stateOf } from '../../../src/controllers/restore/states.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import { aCompleteBackup, aKey, aRestore, aStore, NOON, noonPlus, SETTINGS } from '../../support/builders.ts';
import { theSource } from '../../support/restore-source.ts';

const RESOLVED = {
  backup: 'nightly',
  backupUID: aCompleteBackup().metadata.uid,
  store: 'cellar',
  path: 'prod/v1/lodz/shop/x/',
  digest: `sha256:${'ab'.repeat(32)}`,
  time: '2026-11-24T12:00:00Z',
};

const LOOK: ExamineResult = { refusals: [], major: 16, bytesNeeded: 5_000_000 };
const RESULT: DrillResult = {
  server: '16.4',
  seconds: 130,
  totals: { databases: 1, bytes: 9_000_000, tables: 2, rows: 530 },
  largest: [{ table: 'public.orders', rows: 500 }],
  checks: [],
};

function aDrill(spec: Partial<RestoreSpec> = {}, status?: RestoreStatus) {
  const { scaleDown: _, ...rest } = aRestore().spec;
  const restore = aRestore({ metadata: { finalizers: [] } });
  return {
    ...restore,
    spec: { ...rest, onConflict: 'Fail' as const, target: { ephemeral: {} }, ...spec },
    ...(status === undefined ? {} : { status }),
  };
}

function facts(more: Partial<RestoreFacts> = {}): RestoreFacts {
  const restore = more.restore ?? aDrill({}, { resolved: RESOLVED });
  return {
    restore,
    ...theSource(restore, { backup: aCompleteBackup(), store: aStore(), runs: more.runs ?? [] }),
    identity: chooseIdentity(restore, aKey({ identity: true })),
    runs: [],
    lock: undefined,
    workloads: [],
    settings: SETTINGS,
    ...more,
  };
}

function aRun(purpose: 'examine' | 'drill', more: Partial<RunFacts> = {}): RunFacts {
  return {
    purpose,
    attempt: 1,
    name: `bring-back-${purpose}-22222222-1`,
    job: { uid: `${purpose}-uid`, created: NOON, leaving: false },
    state: 'succeeded',
    ended: noonPlus(10),
    livingPods: 0,
    started: true,
    ...more,
  };
}

const looked = (more: Partial<ExamineResult> = {}) =>
  aRun('examine', { report: { command: 'examine', ok: true, result: { ...LOOK, ...more } } });
const drilled = (more: Partial<DrillResult> = {}) =>
  aRun('drill', { report: { command: 'drill', ok: true, result: { ...RESULT, ...more } } });
const refusedBy = (command: 'examine' | 'drill', retry: boolean): Report => ({
  command,
  ok: false,
  retry,
  failure: { reason: 'StoreUnreachable', message: 'no answer' },
});

function jobOf(actions: readonly Action[]) {
  const made = actions.find((action) => action.action === 'createJob');
  if (made?.action !== 'createJob') throw new Error('no Job was made');
  const { metadata, spec } = made.job;
  const template = spec['template'] as {
    metadata: { annotations: Record<string, string> };
    spec: { [key: string]: unknown };
  };
  return {
    name: metadata.name,
    pod: template.spec,
    task: JSON.parse(template.metadata.annotations['holdfast.dev/task'] ?? '') as DrillTask,
  };
}

/** Until it is over, as the operator would look at it; the status at the end. */
function ended(world: RestoreFacts): RestoreStatus {
  let { restore } = world;
  for (let looks = 0; looks < 5; looks += 1) {
    const { status, actions } = decide({ ...world, restore }, noonPlus(60));
    expect(actions.filter(({ action }) => action !== 'deleteJob')).toEqual([]);
    if (status !== undefined) restore = { ...restore, status };
    if (status?.completionTime !== undefined) return status;
  }
  throw new Error(`it did not end: ${JSON.stringify(restore.status)}`);
}

describe('the course of a drill', () => {
  test('pins the archive without a finalizer, a lock or a look at any database', () => {
    const world = facts({ restore: aDrill() });
    const { actions, status } = decide(world, NOON);
    expect(actions).toEqual([]);
    expect(status?.resolved).toMatchObject({ backup: 'nightly' });
    expect(facts().target).toBeUndefined();
  });

  test('looks at the archive first, with the store and the key and no database', () => {
    const { actions, status } = decide(facts(), NOON);
    expect(actions.map(({ action }) => action)).toEqual(['createJob']);
    const { name, task, pod } = jobOf(actions);
    expect(name).toBe('bring-back-examine-22222222-1');
    expect(task).toMatchObject({
      command: 'examine',
      archive: { folder: RESOLVED.path, manifestDigest: RESOLVED.digest },
    });
    expect(task).not.toHaveProperty('database');
    expect(JSON.stringify(pod['volumes'])).not.toContain('"database"');
    expect(pod['initContainers']).toBeUndefined();
    expect(status).toMatchObject({ phase: 'Resolving', startTime: '2026-11-24T12:00:00Z' });
  });

  test('then restores into a server of the major version that the archive is of', () => {
    const checks = [{ name: 'orders', sql: 'SELECT 1', expect: '1' }];
    const { actions, status } = decide(
      facts({ restore: aDrill({ checks }, { resolved: RESOLVED }), runs: [looked()] }),
      noonPlus(60),
    );
    const { name, task, pod } = jobOf(actions);
    expect(name).toBe('bring-back-drill-22222222-1');
    expect(task).toMatchObject({ command: 'drill', port: 5432, checks, notAfter: '2026-11-24T13:01:00.000Z' });
    expect(JSON.stringify(pod['initContainers'])).toContain('localhost/postgres:16');
    expect(status).toMatchObject({ phase: 'Loading' });
  });

  test('takes the image that is named, and the disk and the resources that are wanted', () => {
    const ephemeral = {
      image: 'registry.example/postgis:16',
      storage: { size: '20Gi' },
      resources: { requests: { cpu: 2 }, limits: { memory: '4Gi' } },
    };
    const world = facts({ restore: aDrill({ target: { ephemeral } }, { resolved: RESOLVED }), runs: [looked()] });
    const { pod } = jobOf(decide(world, NOON).actions);
    const [, , server] = pod['initContainers'] as { image: string; resources: object }[];
    expect(server).toMatchObject({
      image: ephemeral.image,
      resources: { requests: { cpu: '2' }, limits: { memory: '4Gi' } },
    });
    expect(pod['volumes']).toContainEqual({ name: 'server', emptyDir: { sizeLimit: '20Gi' } });
  });

  test('ends Complete with what was counted', () => {
    const status = ended(facts({ runs: [looked(), drilled()] }));
    expect(status).toMatchObject({
      phase: 'Complete',
      outcome: { result: 'Drilled' },
      drill: {
        server: '16.4',
        duration: '2m10s',
        databases: 1,
        rows: 530,
        largest: [{ table: 'public.orders', rows: 500 }],
      },
      conditions: [{ type: 'Complete', status: 'True', reason: 'Drilled' }],
    });
    expect(status.checks).toBeUndefined();
  });

  test('a check that does not hold fails it by name, and what was counted is told all the same', () => {
    const checks = [
      { name: 'orders', passed: false, found: '0' },
      { name: 'people', passed: true },
    ];
    const restore = aDrill({ checks: [{ name: 'orders', sql: 'SELECT 0', expect: '1' }] }, { resolved: RESOLVED });
    const status = ended(facts({ restore, runs: [looked(), drilled({ checks })] }));
    expect(status).toMatchObject({
      phase: 'Failed',
      failure: { reason: 'CheckFailed', message: expect.stringContaining('orders (expected 1, found 0)') },
      checks,
      drill: { rows: 530 },
    });
  });

  test.each([
    [
      'a refusal of the archive',
      [looked({ refusals: [{ reason: 'KeyMismatch', message: 'not this key' }] })],
      'KeyMismatch',
    ],
    [
      'a look that cannot succeed',
      [aRun('examine', { state: 'failed', report: refusedBy('examine', false) })],
      'StoreUnreachable',
    ],
    [
      'a drill that failed',
      [looked(), aRun('drill', { state: 'failed', report: refusedBy('drill', false) })],
      'StoreUnreachable',
    ],
    [
      'a drill that ended without a word',
      [looked(), aRun('drill', { state: 'failed', trouble: { reason: 'OutOfMemory', message: 'x' } })],
      'OutOfMemory',
    ],
  ])('%s fails it', (_, runs, reason) => {
    expect(ended(facts({ runs }))).toMatchObject({ phase: 'Failed', failure: { reason } });
  });

  test('what may heal is tried again, under another name', () => {
    const again = aRun('drill', { state: 'failed', report: refusedBy('drill', true) });
    expect(stateOf(facts({ runs: [looked(), again] }), noonPlus(11)).state).toBe('waiting');
    const { actions } = decide(facts({ runs: [looked(), again] }), noonPlus(600));
    expect(jobOf(actions).name).toBe('bring-back-drill-22222222-2');
    expect(stateOf(facts({ runs: [looked(), again] }), noonPlus(3700))).toMatchObject({ state: 'concluded' });
  });

  test('a Job that somebody deleted is made anew: nothing was lost but time', () => {
    const gone = aRun('drill', { state: 'gone', livingPods: 0 });
    expect(stateOf(facts({ runs: [looked(), gone] }), noonPlus(60)).state).toBe('drillable');
  });

  test('a dry run stops after the look', () => {
    const restore = aDrill({ dryRun: true }, { resolved: RESOLVED });
    expect(ended(facts({ restore, runs: [looked()] }))).toMatchObject({
      phase: 'Complete',
      outcome: { result: 'DryRun' },
    });
  });

  test('a server whose image never comes is given up at the start deadline, and its Job goes', () => {
    const stuck = aRun('drill', {
      state: 'active',
      livingPods: 1,
      started: false,
      trouble: { reason: 'ErrImagePull', message: 'no such image' },
    });
    const { ended: _, ...active } = stuck;
    const world = facts({ runs: [looked(), active] });
    expect(stateOf(world, noonPlus(60)).state).toBe('drilling');
    expect(stateOf(world, noonPlus(3700))).toMatchObject({
      state: 'concluded',
      outcome: { failure: { reason: 'ErrImagePull' } },
    });
    const outcome = {
      result: 'Failed',
      time: '2026-11-24T13:01:00Z',
      failure: { reason: 'ErrImagePull', message: 'x' },
    } as const;
    const restore = aDrill({}, { resolved: RESOLVED, outcome });
    expect(decide({ ...world, restore }, noonPlus(3700)).actions).toEqual([
      { action: 'deleteJob', namespace: 'shop', name: active.name, uid: 'drill-uid' },
    ]);
  });

  test('a drill that is deleted half-way holds nothing up', () => {
    const restore = aDrill({}, { resolved: RESOLVED });
    const leaving = { ...restore, metadata: { ...restore.metadata, deletionTimestamp: '2026-11-24T12:00:30Z' } };
    expect(decide(facts({ restore: leaving, runs: [looked()] }), noonPlus(60)).actions).toEqual([]);
  });
});
