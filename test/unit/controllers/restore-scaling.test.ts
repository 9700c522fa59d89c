import { describe, expect, test } from '@jest/globals';
import { CRON_JOBS } from '../../../src/api/workloads.ts';
import type { LeaseFacts } from '../../../src/controllers/leases.ts';
import {
  type Scaled,
  startedAgain,
  workloadRefusals,
  workloadWarnings,
} from '../../../src/controllers/restore/contest.ts';
import type { RestoreFacts } from '../../../src/controllers/restore/facts.ts';
import { bringBack, quiesceIsOverdue, takeDown, waitsFor } from '../../../src/controllers/restore/scaling.ts';
import { progressStatus } from '../../../src/controllers/restore/status.ts';
import type { FoundWorkload, WorkloadFacts } from '../../../src/controllers/restore/workload-facts.ts';
import { aRestore, condition, NOON, noonPlus, SETTINGS } from '../../support/builders.ts';
import { theSource } from '../../support/restore-source.ts';

const DEPLOYMENTS = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };
const REFUSED = { reason: 'WorkloadKindNotAllowed', message: 'not allowed', hint: 'the value' };

function facts(...workloads: WorkloadFacts[]): Scaled {
  return { restore: aRestore(), workloads };
}

function web(found: Partial<FoundWorkload> = {}, more: Partial<WorkloadFacts> = {}): WorkloadFacts {
  return {
    workload: { kind: 'Deployment', name: 'web' },
    resource: DEPLOYMENTS,
    found: { uid: 'web-uid', resourceVersion: '9', replicas: 3, pods: [], ...found },
    ...more,
  };
}

function report(found: Partial<FoundWorkload> = {}, more: Partial<WorkloadFacts> = {}): WorkloadFacts {
  const workload = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'report' };
  return { ...web({ replicas: 1, ...found }, more), workload, resource: CRON_JOBS };
}

function aLease(more: Partial<LeaseFacts> = {}): LeaseFacts {
  const holder = { holderUid: aRestore().metadata.uid, holder: 'us', holderAlive: true };
  const base = { namespace: 'shop', name: 'l', uid: 'l', resourceVersion: '1' };
  return { ...base, ...holder, replicas: 3, acquired: NOON, atZero: noonPlus(10), ...more };
}

const words = (actions: readonly { action: string }[]) => actions.map(({ action }) => action);

describe('a CronJob', () => {
  test('is suspended after its Lease has what it was', () => {
    const actions = takeDown(facts(report()), NOON);
    expect(words(actions)).toEqual(['createLease', 'suspend', 'annotateLease']);
    expect(JSON.stringify(actions[0])).toContain('"holdfast.dev/suspend":"false"');
    expect(actions[1]).toMatchObject({ name: 'report', uid: 'web-uid', resourceVersion: '9', suspend: true });
  });

  test('that was suspended is not touched, then or afterwards', () => {
    expect(words(takeDown(facts(report({ replicas: 0 })), NOON))).toEqual(['createLease', 'annotateLease']);
    const lease = aLease({ replicas: 0 });
    expect(words(bringBack(facts(report({ replicas: 0 }, { lease }))).rows.flat())).toEqual(['deleteLease']);
  });

  test('is resumed in the end', () => {
    const { rows } = bringBack(facts(report({ replicas: 0 }, { lease: aLease({ replicas: 1 }) })));
    expect(rows.flat()).toMatchObject([{ action: 'suspend', suspend: false }, { action: 'deleteLease' }]);
  });

  test('is at rest when its Jobs have ended and their pods are gone', () => {
    const lease = aLease();
    const at = (found: Partial<FoundWorkload>) => waitsFor(facts(report({ replicas: 0, ...found }, { lease })));
    expect(at({ jobs: ['report-1'], pods: ['report-1-x'] })).toEqual([
      'Job report-1 to end',
      'pod report-1-x to be gone',
    ]);
    expect(at({ jobs: [] })).toEqual([]);
    expect(waitsFor(facts(report()))).toEqual(['CronJob report to be suspended']);
  });
});

describe('rest', () => {
  test('is not believed before the Lease says it: a crash in between is looked at again', () => {
    const { atZero: _, ...lease } = aLease();
    const half = facts(web({ replicas: 0 }, { lease }));
    expect(waitsFor(half)).toEqual(['Deployment web to be scaled down']);
    expect(takeDown(half, NOON)).toMatchObject([
      { action: 'annotateLease', annotations: { 'holdfast.dev/at-zero': '2026-11-24T12:00:00Z' } },
    ]);
  });

  test('is waited for from the last time that an app went to zero, or from when it was next asked for', () => {
    const waiting = facts(web({ replicas: 0, pods: ['web-1'] }, { lease: aLease() }));
    expect(quiesceIsOverdue(waiting, ['x'], noonPlus(609))).toBeUndefined();
    expect(quiesceIsOverdue(waiting, ['x'], noonPlus(610))).toMatchObject({
      outcome: { failure: { reason: 'QuiesceTimeout' } },
    });
    expect(quiesceIsOverdue(waiting, ['x'], noonPlus(1_000), noonPlus(900))).toBeUndefined();
  });
});

test('each contest is an event: the first by its condition, the others by themselves', () => {
  const lease = aLease({ contests: 1 });
  const contested = web({ replicas: 5, writers: [{ manager: 'argocd-controller' }] }, { lease });
  expect(words(takeDown(facts(contested), NOON))).toEqual(['annotateLease', 'scale', 'annotateLease']);
  const known = aRestore({ status: { conditions: [condition('ScaleContested', 'True')] } });
  expect(takeDown({ ...facts(contested), restore: known }, NOON)).toContainEqual(
    expect.objectContaining({
      action: 'event',
      type: 'Warning',
      reason: 'ScaleContested',
      note: expect.stringMatching(/scaled to 5 during the restore, by Argo CD .* \(2 of 3 times\)/),
    }),
  );
});

describe('two of one kind and one name, of two groups', () => {
  const KRUISE = { apiVersion: 'apps.kruise.io/v1beta1', kind: 'StatefulSet', plural: 'statefulsets' };
  const NATIVE = { apiVersion: 'apps/v1', kind: 'StatefulSet', plural: 'statefulsets' };
  const db = (resource: typeof NATIVE, found: Partial<FoundWorkload>, more: Partial<WorkloadFacts> = {}) => ({
    ...web({ uid: resource.apiVersion, ...found }, more),
    workload: { apiVersion: resource.apiVersion, kind: resource.kind, name: 'db' },
    resource,
  });
  const entry = (apiVersion: string | undefined, replicas: number) => ({
    ...{ kind: 'StatefulSet', name: 'db', uid: 'u', replicas, restored: false },
    ...(apiVersion === undefined ? {} : { apiVersion }),
  });
  const lost = (entries: readonly ReturnType<typeof entry>[], workloads: readonly WorkloadFacts[]) =>
    bringBack({ restore: aRestore({ status: { scaledWorkloads: [...entries] } }), workloads }).rows.flat();

  test('come back to a count each, though their Leases were removed', () => {
    const entries = [entry(KRUISE.apiVersion, 5), entry('apps/v1', 2)];
    const actions = lost(entries, [db(NATIVE, { replicas: 0 }), db(KRUISE, { replicas: 0 })]);
    expect(actions).toMatchObject([
      { action: 'scale', uid: 'apps/v1', replicas: 2 },
      { action: 'scale', uid: KRUISE.apiVersion, replicas: 5 },
    ]);
    // Another version of the group is the same workload.
    const [newer] = lost([entry('apps.kruise.io/v1alpha1', 5)], [db(KRUISE, { replicas: 0 })]);
    expect(newer).toMatchObject({ replicas: 5 });
    expect(lost([entry(KRUISE.apiVersion, 5)], [db(NATIVE, { replicas: 0 })])).toEqual([]);
  });

  test('one that an earlier operator took down, which wrote no group, comes back as well', () => {
    expect(lost([entry(undefined, 4)], [db(NATIVE, { replicas: 0 })])).toMatchObject([{ replicas: 4 }]);
  });

  test('are told apart in the status, which adds the group to what an earlier operator wrote', () => {
    const status = { scaledWorkloads: [entry(undefined, 4)] };
    const world = (restore = aRestore()): RestoreFacts => ({
      ...theSource(restore),
      restore,
      identity: { wait: { reason: 'x', message: 'x' } },
      runs: [],
      lock: undefined,
      workloads: [
        db(NATIVE, { replicas: 0 }, { lease: aLease({ replicas: 2 }) }),
        db(KRUISE, { replicas: 0 }, { lease: aLease({ replicas: 5 }) }),
      ],
      settings: SETTINGS,
    });
    expect(progressStatus(world(), { phase: 'Loading' }, NOON).scaledWorkloads).toMatchObject([
      { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', replicas: 2 },
      { apiVersion: KRUISE.apiVersion, kind: 'StatefulSet', name: 'db', replicas: 5 },
    ]);
    const old = { ...world(aRestore({ status })), workloads: [db(NATIVE, { replicas: 4 })] };
    expect(progressStatus(old, { phase: 'Resuming' }, NOON).scaledWorkloads).toEqual([
      { ...entry('apps/v1', 4), restored: true },
    ]);
  });
});

describe('a workload that may not be looked at', () => {
  const { found: _, ...unseen } = web({}, { refused: REFUSED });

  test('is refused with the plan', () => {
    expect(workloadRefusals(facts(web(), unseen))).toEqual([REFUSED]);
  });

  test('keeps its Lease, which knows its count, while the others come back', () => {
    const taken = { ...unseen, lease: aLease() };
    const other = web({ replicas: 0 }, { lease: aLease({ name: 'other' }) });
    const { rows, trouble } = bringBack(facts(taken, other));
    expect(trouble).toBe(REFUSED);
    expect(rows.flat()).toMatchObject([
      { action: 'scale', replicas: 3 },
      { action: 'deleteLease', name: 'other' },
    ]);
  });
});

describe('an app that is there again', () => {
  test('at what is live is told with the pods that nobody asked for', () => {
    const failure = startedAgain(facts(web({ replicas: 0, pods: ['web-9'] }, { lease: aLease() })));
    expect(failure).toMatchObject({ reason: 'ScaleContested', message: expect.stringContaining('has web-9 again') });
    expect(startedAgain(facts(web({ replicas: 0 }, { lease: aLease() })))).toBeUndefined();
  });

  test('whose count another restore holds is left alone', () => {
    expect(takeDown(facts(web({}, { lease: aLease({ holderUid: 'other' }) })), NOON)).toEqual([]);
    expect(bringBack(facts(web({ replicas: 0 }, { lease: aLease({ holderUid: 'other' }) }))).rows).toEqual([]);
  });
});

test('a plan warns of everybody who writes a count by himself', () => {
  const writers = [{ manager: 'argocd-controller' }, { manager: 'kubectl' }];
  expect(workloadWarnings(facts(web({ writers })))).toEqual([expect.stringMatching(/^Deployment web: Argo CD/)]);
});
