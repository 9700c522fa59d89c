import { describe, expect, test } from '@jest/globals';
import type { Job, KubeObject, Lease, Pod } from '../../../src/api/kubernetes.ts';
import { ANNOTATIONS, LABELS } from '../../../src/api/names.ts';
import type { Restore } from '../../../src/api/restore.ts';
import { CRON_JOBS, SCALABLE_ALWAYS } from '../../../src/api/workloads.ts';
import type { World } from '../../../src/controllers/controller.ts';
import { type Holder, scaleLease } from '../../../src/controllers/leases.ts';
import { decide } from '../../../src/controllers/scale-lease/decide.ts';
import { scaleLeaseController } from '../../../src/controllers/scale-lease/observe.ts';
import type { Stores } from '../../../src/kube/stores.ts';
import { aRestore, condition, NOON, noonPlus, SETTINGS } from '../../support/builders.ts';

const HOLDER: Holder = { kind: 'Restore', metadata: { namespace: 'shop', name: 'half-way', uid: 'gone' } };
const WEB = { kind: 'Deployment', name: 'web' } as const;
const [DEPLOYMENTS] = SCALABLE_ALWAYS;
const NEVER_BACK = 'Restore shop/half-way took Deployment/web to zero, and is not there any more to bring it back.';

const metadata = (name: string, more: object = {}) => ({
  ...{ name, namespace: 'shop', uid: `${name}-uid`, resourceVersion: '7', creationTimestamp: '2026-11-24T12:00:00Z' },
  ...more,
});

function theLease(more: Record<string, string | undefined> = {}, of: object = WEB): Lease {
  const workload = of as typeof WEB;
  const resource = workload.kind === 'Deployment' ? DEPLOYMENTS! : CRON_JOBS;
  const made = scaleLease(workload, resource, 3, HOLDER);
  const annotations = Object.fromEntries(
    Object.entries({ ...made.metadata.annotations, ...more }).filter(([, value]) => value !== undefined),
  );
  return { ...made, metadata: metadata(made.metadata.name, { labels: made.metadata.labels, annotations }) } as Lease;
}

const labels = (command: string) => ({
  [LABELS.command]: command,
  [LABELS.attempt]: '1',
  [LABELS.owner]: 'gone',
});

const template = (task?: object) =>
  task === undefined ? {} : { metadata: { annotations: { 'holdfast.dev/task': JSON.stringify(task) } } };

function aJob(command: string, task?: object, over = false): Job {
  const conditions = over ? [{ type: 'Failed', status: 'True' as const }] : [];
  return {
    ...{ apiVersion: 'batch/v1', kind: 'Job', metadata: metadata(`${command}-1`, { labels: labels(command) }) },
    ...{ spec: { template: template(task) }, status: { conditions } },
  } as Job;
}

function aPod(command: string, task?: object, phase = 'Running', state: object = { running: {} }): Pod {
  const { metadata: annotated } = template(task) as { metadata?: object };
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', spec: {} },
    metadata: metadata(`${command}-1-pod`, { labels: labels(command), ...annotated }),
    status: { phase, containerStatuses: [{ name: 'runner', state }] },
  } as unknown as Pod;
}

interface There {
  readonly lease?: Lease;
  /** In the local copies. */
  readonly seen?: readonly Restore[];
  /** Of the API server itself. */
  readonly restores?: readonly Restore[];
  readonly jobs?: readonly Job[];
  readonly pods?: readonly Pod[];
  readonly replicas?: number;
  readonly scale?: 'missing';
  readonly suspend?: boolean;
}

function world(there: There, lease: Lease): { world: World; asked: string[] } {
  const { seen = [], restores = [], jobs = [], pods = [], replicas = 0 } = there;
  const asked: string[] = [];
  const lists: Record<string, readonly KubeObject[]> = { Restore: restores, Job: jobs, Pod: pods };
  const found: Record<string, KubeObject | undefined> = {
    Lease: lease,
    CronJob: {
      ...{ apiVersion: 'batch/v1', kind: 'CronJob' },
      metadata: metadata('report'),
      spec: { suspend: true },
    } as KubeObject,
  };
  const cluster = {
    get: async ({ kind }: { kind: string }) => {
      asked.push(kind);
      return found[kind];
    },
    list: async ({ kind }: { kind: string }, { namespace }: { namespace: string }) => {
      asked.push(`${kind}s of ${namespace}`);
      return lists[kind];
    },
    getScale: async () =>
      there.scale === 'missing' ? undefined : { metadata: metadata('web'), spec: { replicas }, status: {} },
  };
  const stores = { restores: { byUid: (uid: string) => seen.find((restore) => restore.metadata.uid === uid) } };
  return {
    world: { settings: { ...SETTINGS, scalableKinds: [CRON_JOBS] }, cluster, stores } as unknown as World,
    asked,
  };
}

async function look(there: There = {}, now = NOON) {
  const lease = there.lease ?? theLease();
  const facts = await scaleLeaseController.observe(world(there, lease).world, lease);
  return facts === undefined ? undefined : decide(facts, now);
}

const held = (more: Parameters<typeof aRestore>[0] = {}) =>
  aRestore({ ...more, metadata: { name: 'half-way', uid: 'gone', ...more.metadata } });

const SCALED_UP = { action: 'scale', name: 'web', uid: 'web-uid', resourceVersion: '7', replicas: 3 };
const RELEASED = { action: 'deleteLease', uid: `${theLease().metadata.name}-uid`, resourceVersion: '7' };

describe('the app of a Restore that is gone', () => {
  test('comes back to the count in the Lease, with an event about the app; then the Lease goes', async () => {
    expect(await look()).toEqual({
      actions: [
        expect.objectContaining(SCALED_UP),
        {
          ...{ action: 'event', type: 'Warning', reason: 'AppBroughtBack' },
          note: `${NEVER_BACK} It was scaled back to 3.`,
          regarding: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web', uid: 'web-uid' },
        },
      ],
      afterStatus: [expect.objectContaining(RELEASED)],
    });
  });

  test('comes back also where the Restore is over and did not do it', async () => {
    const over = held({ status: { conditions: [condition('Failed', 'True')] } });
    expect((await look({ seen: [over], restores: [over] }))?.actions[0]).toMatchObject(SCALED_UP);
  });

  test('stays at the count that somebody gave it meanwhile', async () => {
    expect(await look({ replicas: 5 })).toEqual({ actions: [], afterStatus: [expect.objectContaining(RELEASED)] });
  });

  test('stays at zero where it was at zero before', async () => {
    const lease = theLease({ [ANNOTATIONS.replicas]: '0' });
    expect(await look({ lease })).toEqual({ actions: [], afterStatus: [expect.objectContaining(RELEASED)] });
  });

  test('is resumed where it is a CronJob', async () => {
    const lease = theLease({}, { apiVersion: 'batch/v1', kind: 'CronJob', name: 'report' });
    const decision = await look({ lease });
    expect(decision?.actions).toMatchObject([
      { action: 'suspend', name: 'report', uid: 'report-uid', resourceVersion: '7', suspend: false },
      { reason: 'AppBroughtBack', note: expect.stringContaining('It was resumed.'), regarding: { kind: 'CronJob' } },
    ]);
  });

  test('needs no Lease any more where it is gone itself', async () => {
    expect(await look({ scale: 'missing' })).toMatchObject({ actions: [], afterStatus: [RELEASED] });
  });

  test('keeps the Lease, and says why, where the count is unreadable or the kind is not allowed', async () => {
    const countless = await look({ lease: theLease({ [ANNOTATIONS.replicas]: 'many' }) });
    expect(countless).toMatchObject({ actions: [{ action: 'event', reason: 'CountLost' }] });
    expect(countless?.afterStatus).toBeUndefined();
    const unknown = await look({ lease: theLease({ [ANNOTATIONS.workload]: 'shops.example.com/web' }) });
    expect(unknown).toMatchObject({ actions: [{ action: 'event', reason: 'WorkloadKindNotAllowed' }] });
    expect(unknown?.afterStatus).toBeUndefined();
  });

  test('is no other app than the one whose Lease it is', async () => {
    const forged = await look({ lease: theLease({ [ANNOTATIONS.workload]: 'Deployment/other' }) });
    expect(forged?.actions.map(({ action }) => action)).toEqual(['event']);
  });
});

describe('the app of a Restore that is there', () => {
  test('is its business alone, and the API server is not asked', async () => {
    const lease = theLease();
    const { world: at, asked } = world({ seen: [held()] }, lease);
    expect(await scaleLeaseController.observe(at, lease)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test('is so although our copies have not seen the Restore yet: the API server itself has the last word', async () => {
    const lease = theLease();
    const { world: at, asked } = world({ restores: [held()] }, lease);
    expect(await scaleLeaseController.observe(at, lease)).toBeUndefined();
    // The other way round one that took the Lease in between would be missed.
    expect(asked).toEqual(['Lease', 'Restores of shop']);
  });

  test('is so for one that is being deleted: it ends by itself', async () => {
    const leaving = held({ metadata: { deletionTimestamp: '2026-11-24T12:00:00Z' } });
    expect(await look({ restores: [leaving] })).toBeUndefined();
  });
});

test('another Restore of the namespace of the same name is another one', async () => {
  const anew = held({ metadata: { uid: 'anew' }, status: { phase: 'Pending' } });
  expect((await look({ restores: [anew] }))?.actions[0]).toMatchObject(SCALED_UP);
});

describe('a Restore on its way to take the app to zero itself', () => {
  const on = (phase: string, name = 'web') =>
    held({
      metadata: { name: 'next', uid: 'next' },
      status: { phase } as Restore['status'] & object,
      spec: { scaleDown: { workloads: [{ kind: 'Deployment', name }] } },
    });

  test.each(['Resolving', 'SafetyBackup', 'Quiescing', 'Loading'])('in the state %s is not crossed', async (phase) => {
    expect(await look({ restores: [on(phase)] })).toEqual({ actions: [], requeueAfter: 15_000 });
  });

  test('keeps no app at zero for what it waits for, nor after its end, nor another app', async () => {
    for (const restores of [[on('Pending')], [on('Failed')], [on('Loading', 'other')]])
      expect((await look({ restores }))?.actions[0]).toMatchObject(SCALED_UP);
  });
});

describe('while a runner may still change the live database the app stays at zero', () => {
  const fence = '2026-11-24T12:10:00Z';
  const swap = { command: 'swap', notAfter: fence };
  const waits = { action: 'event', reason: 'AppWaitsForRunner', regarding: { name: 'web' } };

  test('a swap at work is ended, and its pod waited for until its fence, with a minute for clocks', async () => {
    const there = { jobs: [aJob('swap', swap)], pods: [aPod('swap', swap)] };
    expect(await look(there)).toMatchObject({
      actions: [{ action: 'deleteJob', name: 'swap-1', uid: 'swap-1-uid' }, waits],
      requeueAfter: 15_000,
    });
    expect((await look(there, noonPlus(659)))?.actions).toMatchObject([{ action: 'deleteJob' }, waits]);
    expect((await look(there, noonPlus(660)))?.actions).toMatchObject([{ action: 'deleteJob' }, SCALED_UP, {}]);
  });

  test('so is one whose Job is gone, and a load into the live database', async () => {
    expect((await look({ pods: [aPod('swap', swap)] }))?.actions).toMatchObject([waits]);
    const inPlace = { command: 'load', inPlace: true, notAfter: fence };
    expect((await look({ pods: [aPod('load', inPlace)] }))?.actions).toMatchObject([waits]);
  });

  test('one whose task cannot be read is waited for without end', async () => {
    expect((await look({ pods: [aPod('swap')] }, noonPlus(90_000)))?.actions).toMatchObject([waits]);
    expect((await look({ pods: [aPod('load')] }, noonPlus(90_000)))?.actions).toMatchObject([waits]);
  });

  test('of one that left nothing behind the Lease has the fence', async () => {
    const lease = theLease({ [ANNOTATIONS.fence]: fence });
    const decision = await look({ lease }, noonPlus(655));
    expect(decision).toMatchObject({ actions: [waits], requeueAfter: 5_000 });
    expect(decision?.actions[0]).toMatchObject({
      note: `${NEVER_BACK} It comes back as soon as no runner can change the database any more, at the latest at 2026-11-24T12:11:00Z.`,
    });
    expect((await look({ lease }, noonPlus(660)))?.actions[0]).toMatchObject(SCALED_UP);
  });

  test('one that was seen to end is not waited for, only one whose pod went without a word', async () => {
    const lease = theLease({ [ANNOTATIONS.fence]: fence });
    const jobs = [aJob('swap', swap, true)];
    const ended = aPod('swap', swap, 'Failed', { terminated: { exitCode: 137 } });
    expect((await look({ lease, jobs, pods: [ended] }))?.actions[0]).toMatchObject(SCALED_UP);
    expect((await look({ lease, jobs }))?.actions).toMatchObject([waits]);
    // An earlier attempt says nothing of the one that the Lease was told of.
    const earlier = { ...swap, notAfter: '2026-11-24T12:05:00Z' };
    const before = aPod('swap', earlier, 'Failed', { terminated: { exitCode: 4 } });
    expect((await look({ lease, jobs: [aJob('swap', earlier, true)], pods: [before] }))?.actions).toMatchObject([
      waits,
    ]);
  });

  test('what works beside it is ended, and not waited for', async () => {
    for (const command of ['load', 'check']) {
      const task = { command, notAfter: fence };
      const there = { jobs: [aJob(command, task)], pods: [aPod(command, task)] };
      expect((await look(there))?.actions).toMatchObject([
        { action: 'deleteJob', name: `${command}-1` },
        SCALED_UP,
        {},
      ]);
    }
  });
});

test('a Lease is looked at when its Restore, a Job or a pod of that Restore changes', () => {
  const lease = theLease();
  const lock = { ...lease, metadata: metadata('holdfast-lock-1') };
  const stores = {
    leases: {
      list: (namespace: string) => (namespace === 'shop' ? [lease, lock] : []),
      ownedBy: (uid: string) => (uid === 'gone' ? [lease, lock] : []),
    },
  } as unknown as Stores;
  const places = [{ namespace: 'shop', name: lease.metadata.name }];
  expect(scaleLeaseController.concerns?.(held(), stores)).toEqual(places);
  expect(scaleLeaseController.concerns?.(aPod('swap'), stores)).toEqual(places);
  expect(scaleLeaseController.concerns?.(aJob('swap'), stores)).toEqual(places);
  expect(scaleLeaseController.concerns?.({ ...lease, metadata: metadata('x') }, stores)).toEqual([]);
});
