/** Restores that want what another one has, on a real API server, with the rights that the chart gives. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Lease } from '../../src/api/kubernetes.ts';
import type { Workload } from '../../src/api/restore.ts';
import type { Report } from '../../src/api/task.ts';
import { backupController } from '../../src/controllers/backup/observe.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { databaseLockController } from '../../src/controllers/database-lock/observe.ts';
import { restoreController } from '../../src/controllers/restore/observe.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { aBackup, BACKED_UP } from '../support/builders.ts';
import type { ScalingScene } from '../support/kube-scaling-scene.ts';
import { type ScalingWorld, scalingWorld } from '../support/kube-scaling-world.ts';

jest.setTimeout(60_000);

const LOAD_FAILED: Report = {
  command: 'load',
  ok: false,
  retry: false,
  failure: { reason: 'LoadFailed', message: 'by the test' },
};

interface End {
  readonly end: string;
  bring(first: string): Promise<unknown>;
  readonly expected: object | undefined;
}

const ENDS: readonly End[] = [
  { end: 'succeeds', bring: async () => undefined, expected: { phase: 'Complete' } },
  {
    end: 'fails',
    bring: async (first) => scene.says.set(`${first}-load`, LOAD_FAILED),
    expected: { phase: 'Failed', failure: { reason: 'LoadFailed' } },
  },
  {
    end: 'goes',
    bring: (first) => scene.kubectl(['delete', 'restore', first, '--wait=false']),
    expected: undefined,
  },
];

/** Complete before the operator is there, which would begin with any other. */
const DATABASES = [...ENDS.map(({ end }) => end), 'one', 'other', 'before', 'after', 'stuck'];

let it: ScalingWorld;
let scene: ScalingScene;

beforeAll(async () => {
  it = await scalingWorld([restoreController, backupController, databaseLockController] as AnyController[], {
    prepare: async (prepared) => {
      for (const name of DATABASES) await prepared.backedUp(name);
    },
  });
  ({ scene } = it);
}, 120_000);

afterAll(async () => {
  await it?.[Symbol.asyncDispose]();
});

const from = (name: string) => ({ from: { backupRef: { name } } });
const replicas = (name: string) => scene.field(`deployment/${name}`, '{.spec.replicas}');

async function app(name: string): Promise<Workload> {
  const template = { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'x', image: 'x' }] } };
  const spec = { replicas: 2, selector: { matchLabels: { app: name } }, template };
  await scene.create({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec });
  return { kind: 'Deployment', name };
}

/** A Restore whose app is at zero while it loads, for as long as it is held. */
async function atWork(name: string, workloads: readonly Workload[], source: string): Promise<void> {
  scene.held.add(`${name}-load`);
  await scene.restore(name, workloads, from(source));
  await scene.job(name, 'load');
}

const uidOf = async (name: string) =>
  (await scene.cluster.get(KIND.restore, { namespace: 'shop', name }))?.metadata.uid;

const backup = async (name: string) =>
  (await scene.cluster.get(KIND.backup, { namespace: 'shop', name }))?.status as ReturnType<typeof aBackup>['status'];

async function jobsOf(name: string): Promise<number> {
  return (await scene.jobs()).filter(({ metadata }) => metadata.ownerReferences?.[0]?.name === name).length;
}

async function locks(): Promise<(string | undefined)[]> {
  const leases = await scene.cluster.list<Lease>(KIND.lease, { namespace: 'holdfast-system' });
  return leases.map(({ metadata }) => metadata.annotations?.['holdfast.dev/holder']);
}

/** Until it waits, and what it says then. */
async function waiting(name: string) {
  await scene.until('it waits', async () => (await scene.status(name))?.failure !== undefined);
  return scene.status(name);
}

describe('the second of two Restores of one database', () => {
  test.each(ENDS)('waits, says for whom, and goes on when the first one $end', async ({ end, bring, expected }) => {
    const [first, second] = [`${end}-first`, `${end}-second`];
    const web = await app(end);
    await atWork(first, [web], end);
    await scene.restore(second, [web], from(end));
    const message = `Restore shop/${first} is at work on this database; this restore starts when it is over.`;
    expect(await waiting(second)).toMatchObject({ phase: 'Pending', failure: { reason: 'DatabaseBusy', message } });
    expect((await scene.condition(second, 'Reconciling'))?.message).toContain(message);
    expect(await jobsOf(second)).toBe(0);
    expect((await scene.lease(web))?.spec?.holderIdentity).toBe(await uidOf(first));
    await bring(first);
    scene.held.delete(`${first}-load`);
    if (expected !== undefined) expect(await scene.over(first)).toMatchObject(expected);
    else await scene.until('it is gone', async () => (await uidOf(first)) === undefined);
    expect(await scene.over(second)).toMatchObject({ phase: 'Complete' });
    expect(await jobsOf(second)).toBeGreaterThan(0);
    expect(await replicas(end)).toBe('2');
    expect(await scene.lease(web)).toBeUndefined();
    expect(await locks()).toEqual([]);
  });
});

test('of two Restores of two databases that take the same app to zero the second one fails, says for whom, and leaves it where it is', async () => {
  const shared = await app('shared');
  await atWork('one', [shared], 'one');
  await scene.restore('other', [shared], from('other'));
  expect(await scene.over('other')).toMatchObject({
    phase: 'Failed',
    failure: {
      reason: 'WorkloadBusy',
      message: 'Restore shop/one holds Deployment "shared" at zero.',
      hint: 'Make a new Restore when that one is over.',
    },
  });
  expect(await replicas('shared')).toBe('0');
  expect(await scene.lease(shared)).toMatchObject({
    metadata: { annotations: { 'holdfast.dev/replicas': '2' } },
    spec: { holderIdentity: await uidOf('one') },
  });
  // The database of the one that failed is free, that of the other is not.
  expect(await locks()).toEqual(['Restore shop/one']);
  scene.held.delete('one-load');
  expect(await scene.over('one')).toMatchObject({ phase: 'Complete' });
  expect(await replicas('shared')).toBe('2');
});

describe('a Restore and a Backup of one database', () => {
  /** Begun by hand, not by a schedule. */
  async function aBackupOf(database: string, name: string): Promise<void> {
    const { apiVersion, kind, spec } = aBackup();
    const source = { postgresql: { ...spec.source.postgresql, database } };
    scene.held.add(`${name}-backup`);
    scene.says.set(`${name}-backup`, BACKED_UP);
    await scene.create({ apiVersion, kind, metadata: { name }, spec: { ...spec, source } });
  }

  test('the Restore waits for the Backup that is at work, and the app stays up meanwhile', async () => {
    const web = await app('before');
    await aBackupOf('before', 'hourly');
    await scene.job('hourly', 'backup');
    await scene.restore('patient', [web], from('before'));
    const message = 'Backup shop/hourly is at work on this database; this restore starts when it is over.';
    expect(await waiting('patient')).toMatchObject({ phase: 'Pending', failure: { reason: 'DatabaseBusy', message } });
    expect(await jobsOf('patient')).toBe(0);
    expect(await replicas('before')).toBe('2');
    scene.held.delete('hourly-backup');
    expect(await scene.over('patient')).toMatchObject({ phase: 'Complete' });
    expect(await backup('hourly')).toMatchObject({ phase: 'Complete' });
    expect(await locks()).toEqual([]);
  });

  test('the Backup waits for the Restore that is at work', async () => {
    await atWork('busy', [await app('after')], 'after');
    await aBackupOf('after', 'daily');
    await scene.until('it waits', async () => (await backup('daily'))?.failure !== undefined);
    const message = 'Restore shop/busy is at work on this database; this backup starts when it is over.';
    expect(await backup('daily')).toMatchObject({ phase: 'Pending', failure: { reason: 'DatabaseBusy', message } });
    expect(await jobsOf('daily')).toBe(0);
    scene.held.delete('daily-backup');
    scene.held.delete('busy-load');
    expect(await scene.over('busy')).toMatchObject({ phase: 'Complete' });
    await scene.until('its turn', async () => (await backup('daily'))?.phase === 'Complete');
    expect(await locks()).toEqual([]);
  });
});

test('a pod that stays Terminating counts as there: nothing is loaded, the restore fails in time, and the app is up', async () => {
  const web = await app('stuck');
  await scene.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'stuck-1', labels: { app: 'stuck' }, finalizers: ['example.com/volume'] },
    spec: { containers: [{ name: 'x', image: 'x' }] },
  });
  await scene.kubectl(['delete', 'pod', 'stuck-1', '--grace-period=0', '--force', '--wait=false']);
  expect(await scene.field('pod/stuck-1', '{.metadata.deletionTimestamp}')).not.toBe('');
  await scene.restore('stuck', [web], { ...from('stuck'), scaleDown: { workloads: [web], timeout: '4s' } });
  const { failure, phase, scaledWorkloads } = (await scene.over('stuck')) ?? {};
  expect(phase).toBe('Failed');
  expect(scaledWorkloads).toMatchObject([{ name: 'stuck', replicas: 2, restored: true }]);
  expect(failure).toMatchObject({
    reason: 'QuiesceTimeout',
    message: 'The app was not at rest within 4s: still waiting for pod stuck-1 to be gone.',
    hint: expect.stringContaining('finalizer'),
  });
  expect(await scene.field('pod/stuck-1', '{.metadata.name}')).toBe('stuck-1');
  const purposes = (await scene.jobs()).flatMap(({ metadata }) =>
    metadata.ownerReferences?.[0]?.name === 'stuck' ? [metadata.labels?.['holdfast.dev/command']] : [],
  );
  expect(purposes).toEqual(['plan']);
  expect(await replicas('stuck')).toBe('2');
  expect(await scene.lease(web)).toBeUndefined();
});

test('none of it asked for more than the chart grants', () => {
  expect(it.proxy.asked.filter(({ status }) => status === 403)).toEqual([]);
  expect(it.operator.bugs).toEqual([]);
});
