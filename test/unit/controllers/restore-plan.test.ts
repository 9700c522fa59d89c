import { describe, expect, test } from '@jest/globals';
import type { RestoreSpec } from '../../../src/api/restore.ts';
import type { PlanResult, Task } from '../../../src/api/task.ts';
import { TASK_ANNOTATION } from '../../../src/api/task.ts';
import { transitions } from '../../../src/controllers/events.ts';
import { decide } from '../../../src/controllers/restore/decide.ts';
import type { RestoreFacts } from '../../../src/controllers/restore/facts.ts';
import { chooseIdentity } from '../../../src/controllers/restore/identity.ts';
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

const PINNED = {
  resolved: {
    backupUID: aBackup().metadata.uid,
    path: 'prod/v1/lodz/shop/x/',
    digest: `sha256:${'ab'.repeat(32)}`,
    time: '2026-11-24T12:00:00Z',
  },
  attempts: 1,
  startTime: '2026-11-24T12:00:00Z',
};
const VERSION = { reason: 'Version', message: 'too old', hint: 'upgrade' };
const RIGHT = { reason: 'RightMissing', message: 'no CREATEDB', hint: 'ALTER ROLE …' };
const PLAN: PlanResult = {
  refusals: [],
  alreadyRestored: false,
  server: '17.6',
  databaseExists: false,
  objects: 0,
  bytesNeeded: 100,
  compatibility: [{ of: 'PostgreSQL', archive: '17.5', target: '17.6', verdict: 'Fits' }],
  warnings: ['a superuser'],
  notes: ['good to know'],
};

function planned(more: Partial<PlanResult>): RunFacts {
  return {
    purpose: 'plan',
    attempt: 1,
    name: 'bring-back-plan-22222222-1',
    job: { uid: 'plan-uid', created: NOON, leaving: false },
    state: 'succeeded',
    ended: noonPlus(10),
    livingPods: 0,
    started: true,
    report: { command: 'plan', ok: true, result: { ...PLAN, ...more } },
  };
}

const web = (nodes: readonly string[] = ['n1']): WorkloadFacts => ({
  workload: { kind: 'Deployment', name: 'web' },
  resource: { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' },
  found: { uid: 'web-uid', resourceVersion: '9', replicas: 3, pods: ['web-1', 'web-2'], nodes },
});

function facts(spec: Partial<RestoreSpec>, more: Partial<RestoreFacts> = {}): RestoreFacts {
  const base = more.restore ?? aRestore({ status: PINNED });
  const restore = { ...base, spec: { ...base.spec, ...spec } };
  return {
    ...theSource(restore, { backup: aCompleteBackup(), store: aStore(), runs: more.runs ?? [] }),
    identity: chooseIdentity(restore, aKey({ identity: true })),
    runs: [],
    lock: undefined,
    workloads: [web()],
    settings: SETTINGS,
    ...more,
    restore,
  };
}

/** Until nothing changes any more, as the loop does; every action that was taken on the way. */
function toTheEnd(world: RestoreFacts): { world: RestoreFacts; words: string[] } {
  const words: string[] = [];
  let now = world;
  for (let pass = 0; pass < 5; pass += 1) {
    const { actions, status, afterStatus = [] } = decide(now, noonPlus(60 + pass));
    words.push(...[...actions, ...afterStatus].map(({ action }) => action));
    if (status !== undefined) now = { ...now, restore: { ...now.restore, status } };
  }
  return { world: now, words };
}

function taskOf(world: RestoreFacts): Task {
  const made = decide(world, NOON).actions.flatMap((action) => (action.action === 'createJob' ? [action.job] : []));
  const { template } = made[0]!.spec as { template: { metadata: { annotations: Record<string, string> } } };
  return JSON.parse(template.metadata.annotations[TASK_ANNOTATION] ?? '') as Task;
}

describe('a dry run', () => {
  test('ends Complete with the whole plan, and has touched no app', () => {
    const { world, words } = toTheEnd(facts({ dryRun: true }, { runs: [planned({})] }));
    expect(words).not.toContain('scale');
    expect(words).not.toContain('createJob');
    expect(words).not.toContain('createBackup');
    expect(words).toContain('removeFinalizer');
    expect(world.restore.status).toMatchObject({
      phase: 'Complete',
      outcome: { result: 'DryRun' },
      plan: { compatibility: PLAN.compatibility, warnings: ['a superuser'], notes: ['good to know'], bytesNeeded: 100 },
      conditions: [{ type: 'Complete', status: 'True', reason: 'DryRun' }],
    });
    expect(world.restore.status?.scaledWorkloads).toBeUndefined();
  });

  test('frees the lock of the database before it is over', () => {
    const holderUid = aRestore().metadata.uid;
    const lock = {
      namespace: 'holdfast',
      name: 'l',
      uid: 'l',
      resourceVersion: '1',
      holderUid,
      holder: 'x',
      holderAlive: true,
    };
    const { words } = toTheEnd(facts({ dryRun: true }, { runs: [planned({})], lock: lock as never }));
    expect(words.indexOf('deleteLease')).toBeGreaterThanOrEqual(0);
    expect(words.indexOf('deleteLease')).toBeLessThan(words.indexOf('removeFinalizer'));
  });

  test('with something in the way ends Failed, and lists all of it', () => {
    const { world } = toTheEnd(facts({ dryRun: true }, { runs: [planned({ refusals: [VERSION, RIGHT] })] }));
    expect(world.restore.status).toMatchObject({
      phase: 'Failed',
      failure: { reason: 'Version', message: 'Version: too old. RightMissing: no CREATEDB' },
      plan: {
        refusals: [
          { ...VERSION, forceable: true, forced: false },
          { ...RIGHT, forceable: false, forced: false },
        ],
      },
    });
  });

  test('counts a workload that is not there among the refusals', () => {
    const { found: _, ...gone } = web();
    const { world } = toTheEnd(facts({ dryRun: true }, { runs: [planned({})], workloads: [gone] }));
    expect(world.restore.status?.plan?.refusals).toEqual([
      expect.objectContaining({ reason: 'WorkloadNotFound', forceable: false }),
    ]);
  });
});

describe('refusals that a person takes on', () => {
  test('stand in nobody’s way, are shown as such, and are told by a Warning event', () => {
    const world = facts({ force: ['Version'] }, { runs: [planned({ refusals: [VERSION] })] });
    const { actions, status } = decide(world, noonPlus(60));
    expect(actions.map(({ action }) => action)).toContain('scale');
    expect(status?.plan?.refusals).toEqual([{ ...VERSION, forceable: true, forced: true }]);
    expect(transitions(undefined, status ?? {}, [])).toContainEqual({
      type: 'Warning',
      reason: 'RefusalsForced',
      note: 'spec.force takes on Version: too old',
    });
  });

  test('one that is not named stays in the way', () => {
    const world = facts({ force: ['Nodes'] }, { runs: [planned({ refusals: [VERSION] })] });
    expect(decide(world, noonPlus(60)).status?.outcome).toMatchObject({ result: 'Failed', failure: VERSION });
  });

  test('a right cannot be taken on, whoever writes its name', () => {
    const force = ['RightMissing'] as never;
    const { status } = decide(facts({ force }, { runs: [planned({ refusals: [RIGHT] })] }), noonPlus(60));
    expect(status?.outcome).toMatchObject({ result: 'Failed', failure: RIGHT });
    expect(status?.plan?.refusals).toEqual([{ ...RIGHT, forceable: false, forced: false }]);
  });

  test('a safety backup that failed is among them, once it has, before anything is touched', () => {
    const failure = { reason: 'StoreNotReady', message: 'the bucket is gone' };
    const safetyBackup = aBackup({ status: { failure, conditions: [condition('Failed', 'True')] } });
    const runs = [planned({ databaseExists: true, objects: 3 })];
    const { name, uid } = safetyBackup.metadata;
    const restore = aRestore({ status: { ...PINNED, safetyBackup: { name, uid } } });
    const spec: Partial<RestoreSpec> = { onConflict: 'Replace', safetyBackup: true, force: ['SafetyBackup'] };
    const world = facts(spec, { restore, runs, safetyBackup });
    const { status, actions } = decide(world, noonPlus(60));
    expect(actions).toEqual([]);
    expect(status?.plan?.refusals).toEqual([
      {
        reason: 'SafetyBackup',
        message: 'The database as it is now could not be saved. StoreNotReady: the bucket is gone',
        forceable: true,
        forced: true,
      },
    ]);
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Forced', status: 'True' }));
  });

  test('what was forced is still told at the end', () => {
    const { world } = toTheEnd(
      facts({ dryRun: true, force: ['Version'] }, { runs: [planned({ refusals: [VERSION] })] }),
    );
    expect(world.restore.status?.conditions).toEqual([
      expect.objectContaining({ type: 'Complete', reason: 'DryRun' }),
      expect.objectContaining({ type: 'Forced', status: 'True', reason: 'RefusalsForced' }),
    ]);
  });
});

describe('the Job that looks is told', () => {
  test('what was decided about the target, in bytes and by role', () => {
    const target = { postgresql: { maxBytes: '500Gi', ownership: 'restored', privileges: 'Skip' } } as const;
    const application = { version: '1.26.0', longTermReleases: ['1.30'] };
    expect(taskOf(facts({ target, application, force: ['Nodes'] }))).toMatchObject({
      command: 'plan',
      maxBytes: 500 * 1024 ** 3,
      owner: 'restored',
      privileges: 'Skip',
      application,
      force: ['Nodes'],
    });
  });

  test('nothing of an owner where it is preserved', () => {
    expect(taskOf(facts({ target: { postgresql: { ownership: 'Preserve' } } }))).not.toHaveProperty('owner');
  });

  test('the nodes of the pods, while they are there', () => {
    expect(taskOf(facts({}, { workloads: [web(['n2', 'n1']), web(['n2'])] }))).toMatchObject({ nodes: ['n1', 'n2'] });
  });
});
