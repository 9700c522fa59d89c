/** Apps at zero whose Restore went without its ending, on a real API server, with the rights that the chart gives. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Job } from '../../src/api/kubernetes.ts';
import { ANNOTATIONS, scaleLeaseName } from '../../src/api/names.ts';
import type { Workload } from '../../src/api/restore.ts';
import { CRON_JOBS, type ScalableKind, scalableKindOf } from '../../src/api/workloads.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { scaleLease } from '../../src/controllers/leases.ts';
import type { PassReport } from '../../src/controllers/operator.ts';
import { restoreController } from '../../src/controllers/restore/observe.ts';
import { scaleLeaseController } from '../../src/controllers/scale-lease/observe.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { type Asked, isWatch, startApiProxy } from '../support/api-proxy.ts';
import { testOperator } from '../support/kube-operator.ts';
import { type ScalingScene, taskOf } from '../support/kube-scaling-scene.ts';
import { type ScalingWorld, scalingWorld } from '../support/kube-scaling-world.ts';

jest.setTimeout(60_000);

const CONTROLLERS = [restoreController, scaleLeaseController] as AnyController[];

let it: ScalingWorld;
let scene: ScalingScene;

beforeAll(async () => {
  it = await scalingWorld(CONTROLLERS, {
    values: { 'restore.suspendCronJobs': 'true' },
    scalableKinds: [CRON_JOBS],
    prepare: async (prepared) => {
      scene = prepared;
      await app('before', 0);
      await orphan({ kind: 'Deployment', name: 'before' }, 4);
      const cron = { schedule: '0 0 * * *', suspend: true, jobTemplate: { spec: { template: never() } } };
      await scene.create({ ...ofCronJob(), metadata: { name: 'report' }, spec: cron });
      await orphan({ ...ofCronJob(), name: 'report' }, 1, 'nobody', CRON_JOBS);
    },
  });
}, 120_000);

afterAll(async () => {
  await it?.[Symbol.asyncDispose]();
});

const template = (app: string) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'x', image: 'x' }] },
});
const never = () => ({ spec: { ...template('x').spec, restartPolicy: 'Never' } });
const ofCronJob = () => ({ apiVersion: 'batch/v1', kind: 'CronJob' });

async function app(name: string, replicas: number): Promise<Workload> {
  const spec = { replicas, selector: { matchLabels: { app: name } }, template: template(name) };
  await scene.create({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec });
  return { kind: 'Deployment', name };
}

/** The Lease of a Restore that nobody knows. */
async function orphan(
  workload: Workload,
  count: number,
  uid = 'nobody',
  kind: ScalableKind = scalableKindOf(workload, [])!,
): Promise<void> {
  const holder = { kind: 'Restore', metadata: { namespace: 'shop', name: 'lost', uid } } as const;
  await scene.create(scaleLease(workload, kind, count, holder));
}

const replicas = (name: string) => scene.field(`deployment/${name}`, '{.spec.replicas}');

const isBack = (name: string, count: number) =>
  scene.until(`${name} is back`, async () => (await replicas(name)) === String(count));

async function isReleased(workload: Workload): Promise<void> {
  await scene.until('its Lease is gone', async () => (await scene.lease(workload)) === undefined);
}

/** What people are told about the app. */
async function told(name: string, reason: string): Promise<string[]> {
  const selector = `--field-selector=reason=${reason},involvedObject.name=${name}`;
  const said = await scene.kubectl([
    'get',
    'events',
    selector,
    '-o',
    'jsonpath={range .items[*]}{.message}{"\\n"}{end}',
  ]);
  return said.split('\n').filter((line) => line !== '');
}

/** Until the operator has looked at the Lease once more. */
async function lookedAt(workload: Workload): Promise<void> {
  const looks = () => it.operator.passes.filter(({ key }) => key === `shop/${scaleLeaseName(workload)}`).length;
  const before = looks();
  await scene.until('it is looked at', async () => looks() > before);
}

/** Deleted, and gone without its ending. */
async function strip(name: string): Promise<void> {
  await scene.kubectl(['patch', 'restore', name, '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
  const there = () => scene.cluster.get(KIND.restore, { namespace: 'shop', name });
  await scene.until('it is gone', async () => (await there()) === undefined);
}

const remove = (name: string) => scene.kubectl(['delete', 'restore', name, '--wait=false']);

test('an operator that starts brings back what it finds at zero without a Restore, CronJobs too, and says so', async () => {
  await isBack('before', 4);
  await isReleased({ kind: 'Deployment', name: 'before' });
  expect(await told('before', 'AppBroughtBack')).toEqual([
    'Restore shop/lost took Deployment/before to zero, and is not there any more to bring it back. It was scaled back to 4.',
  ]);
  await isReleased({ ...ofCronJob(), name: 'report' });
  expect(await scene.field('cronjob/report', '{.spec.suspend}')).toBe('false');
  expect(await told('report', 'AppBroughtBack')).toHaveLength(1);
});

test('a Restore whose finalizer somebody takes off while the app cannot be scaled: it comes back once it can be', async () => {
  const stripped = await app('stripped', 3);
  scene.held.add('stripped-load');
  await scene.restore('stripped', [stripped]);
  await scene.job('stripped', 'load');
  await scene.until('at zero', async () => (await replicas('stripped')) === '0');
  let refused = 0;
  it.proxy.fault = ({ method, path }: Asked) => {
    if (method !== 'PUT' || !path.endsWith('/deployments/stripped/scale')) return undefined;
    refused += 1;
    return { status: 422, reason: 'Invalid' };
  };
  await remove('stripped');
  await scene.until('it is refused', async () => refused > 0);
  await strip('stripped');
  const before = refused;
  await scene.until('it is tried again', async () => refused > before + 1);
  expect(await replicas('stripped')).toBe('0');
  expect((await scene.lease(stripped))?.metadata.annotations?.[ANNOTATIONS.replicas]).toBe('3');
  it.proxy.fault = () => undefined;
  await isBack('stripped', 3);
  await isReleased(stripped);
  expect(await told('stripped', 'AppBroughtBack')).toHaveLength(1);
});

describe('a Restore that goes without its ending while its swap is at work', () => {
  /** At work, until somebody says otherwise. */
  async function swapping(
    name: string,
  ): Promise<{ readonly workload: Workload; readonly pod: string; readonly job: Job }> {
    const workload = await app(name, 2);
    scene.held.add(`${name}-swap`);
    await scene.restore(name, [workload]);
    const job = await scene.jobOf(name, 'swap');
    const { metadata, spec } = job.spec['template'] as { metadata: object; spec: object };
    const pod = `${job.metadata.name}-pod`;
    await scene.create({ apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: pod }, spec });
    await status(pod, 'Running', { running: {} });
    await remove(name);
    await scene.until(
      'its Job is ended',
      async () => !(await scene.jobs()).some((each) => each.metadata.uid === job.metadata.uid),
    );
    await strip(name);
    return { workload, pod, job };
  }

  function status(pod: string, phase: string, state: object): Promise<string> {
    const runner = { name: 'runner', ready: false, restartCount: 0, image: 'x', imageID: '', state };
    const patch = JSON.stringify({ status: { phase, containerStatuses: [runner] } });
    return scene.kubectl(['patch', 'pod', pod, '--subresource=status', '--type=merge', '-p', patch]);
  }

  test('keeps the app at zero as long as its pod lives, and no longer', async () => {
    const { workload, pod } = await swapping('late');
    await scene.until('it is told', async () => (await told('late', 'AppWaitsForRunner')).length > 0);
    expect(await replicas('late')).toBe('0');
    expect(await scene.lease(workload)).toBeDefined();
    await status(pod, 'Failed', { terminated: { exitCode: 137 } });
    await isBack('late', 2);
    await isReleased(workload);
  });

  test('keeps the app at zero until its fence where the pod was deleted by force', async () => {
    const { workload, pod, job } = await swapping('forced');
    const task = taskOf(job) as { notAfter: string };
    const annotations = (await scene.lease(workload))?.metadata.annotations;
    expect(annotations).toMatchObject({ [ANNOTATIONS.fence]: `${task.notAfter.slice(0, 19)}Z` });
    const looked = lookedAt(workload);
    await scene.kubectl(['delete', 'pod', pod, '--grace-period=0', '--force']);
    await looked;
    expect(await replicas('forced')).toBe('0');
    expect(await told('forced', 'AppWaitsForRunner')).not.toEqual([]);
    // An hour ago, for what lies between the two needs no test.
    const past = new Date(Date.parse(task.notAfter) - 3_600_000).toISOString();
    const lease = scaleLeaseName(workload);
    await scene.kubectl(['annotate', 'lease', lease, `${ANNOTATIONS.fence}=${past}`, '--overwrite']);
    await isBack('forced', 2);
    await isReleased(workload);
  });
});

test('a Restore that an operator has only not seen yet keeps its app at zero', async () => {
  const proxy = await startApiProxy(it.server.kubeconfig);
  proxy.fault = (asked) => (isWatch(asked) && asked.path.endsWith('/restores') ? { line: () => 'drop' } : undefined);
  const behind = testOperator(proxy, CONTROLLERS);
  await behind.start();
  try {
    const unseen = await app('unseen', 5);
    scene.held.add('unseen-load');
    await scene.restore('unseen', [unseen]);
    await scene.job('unseen', 'load');
    const isLease = ({ key }: PassReport) => key === `shop/${scaleLeaseName(unseen)}`;
    await scene.until('it is looked at', async () => behind.passes.filter(isLease).length > 1);
    expect(behind.watches.stores.restores.get('shop', 'unseen')).toBeUndefined();
    expect(behind.passes.filter(isLease).filter(({ error }) => error !== undefined)).toEqual([]);
    expect(await replicas('unseen')).toBe('0');
    expect(await told('unseen', 'AppBroughtBack')).toEqual([]);
    scene.held.delete('unseen-load');
    expect(await scene.over('unseen')).toMatchObject({ phase: 'Complete' });
    expect(await replicas('unseen')).toBe('5');
    expect(await told('unseen', 'AppBroughtBack')).toEqual([]);
  } finally {
    await behind.stop();
    await proxy.stop();
  }
});

test('two operators that both see it bring each app back once', async () => {
  const other = testOperator(it.proxy, CONTROLLERS, undefined, undefined, [CRON_JOBS]);
  await other.start();
  try {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const apps = await Promise.all(names.map((name) => app(name, 0)));
    const from = it.proxy.asked.length;
    await Promise.all(apps.map((workload, index) => orphan(workload, index + 1)));
    for (const workload of apps) await isReleased(workload);
    for (const [index, name] of names.entries()) {
      expect(await replicas(name)).toBe(String(index + 1));
      expect(await scene.field(`deployment/${name}`, '{.metadata.generation}')).toBe('2');
    }
    expect(it.proxy.asked.slice(from).filter(({ status }) => status >= 500 || status === 403)).toEqual([]);
    expect(other.bugs).toEqual([]);
  } finally {
    await other.stop();
  }
});

test('none of it asked for more than the chart grants', () => {
  expect(it.proxy.asked.filter(({ status }) => status === 403)).toEqual([]);
  expect(it.operator.bugs).toEqual([]);
});
