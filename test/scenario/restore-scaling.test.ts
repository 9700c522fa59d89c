/** Apps that go to zero for a restore, on a real API server, with the rights that the chart gives: who else writes the count, and other kinds. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { CRON_JOBS } from '../../src/api/workloads.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { restoreController } from '../../src/controllers/restore/observe.ts';
import { Http } from '../../src/kube/http.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { program } from '../cluster/programs.ts';
import { startTied, type TiedProcess } from '../cluster/tied-process.ts';
import { type ApiProxy, startApiProxy } from '../support/api-proxy.ts';
import { chartAccount } from '../support/kube-account.ts';
import { installKinds } from '../support/kube-crds.ts';
import { type TestOperator, testOperator } from '../support/kube-operator.ts';
import { ScalingScene } from '../support/kube-scaling-scene.ts';

jest.setTimeout(60_000);

const SHOPS = { apiVersion: 'example.com/v1', kind: 'Shop', plural: 'shops' };

/** What the chart is told, for Shops and for CronJobs. */
const VALUES = {
  'restore.suspendCronJobs': 'true',
  'restore.scalableKinds[0].group': 'example.com',
  'restore.scalableKinds[0].version': 'v1',
  'restore.scalableKinds[0].resource': 'shops',
  'restore.scalableKinds[0].kind': 'Shop',
};

let server: ApiServer;
let proxy: ApiProxy;
let http: Http;
let operator: TestOperator;
let autoscaler: TiedProcess | undefined;
let scene: ScalingScene;

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  proxy = await startApiProxy(server.kubeconfig);
  http = new Http(proxy.credentials);
  scene = new ScalingScene(server.kubeconfig, http);
  await scene.create(CRD);
  await scene.open();
  const user = await chartAccount(server.kubeconfig, 'holdfast', VALUES);
  const confined = { namespaces: ['shop'], user };
  operator = testOperator(proxy, [restoreController as AnyController], undefined, confined, [SHOPS, CRON_JOBS]);
  await operator.start();
}, 120_000);

afterAll(async () => {
  await autoscaler?.stop();
  await operator?.stop();
  await scene?.close();
  http?.close();
  await proxy?.stop();
  await server?.stop();
});

/** A kind with a scale subresource, whose count is where its author put it. */
const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'shops.example.com' },
  spec: {
    group: 'example.com',
    names: { kind: 'Shop', plural: 'shops', singular: 'shop', listKind: 'ShopList' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.size',
            statusReplicasPath: '.status.size',
            labelSelectorPath: '.status.sel',
          },
        },
      },
    ],
  },
};

const template = (app: string) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'x', image: 'x' }] },
});

function deployment(name: string, replicas: number): Promise<string> {
  return scene.create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name) },
  });
}

/** A pod that runs, as far as anybody can tell without a node. */
async function pod(name: string, labels: object, owner?: object): Promise<void> {
  const metadata = { name, labels, ...(owner === undefined ? {} : { ownerReferences: [owner] }) };
  await scene.create({ apiVersion: 'v1', kind: 'Pod', metadata, spec: template('x').spec });
}

const ofDeployment = (name: string) => ({ kind: 'Deployment', name });
const replicas = (resource: string) => scene.field(resource, '{.spec.replicas}');

test('a count that Argo CD writes while it loads is remembered, told with its author, taken back to zero, and comes back in the end', async () => {
  scene.held.add('web-load');
  await deployment('web', 3);
  await scene.restore('web', [ofDeployment('web')]);
  await scene.job('web', 'load');
  await scene.write('deployment/web', 'argocd-controller', { spec: { replicas: 5 } });
  await scene.until('zero again', async () => (await scene.condition('web', 'ScaleContested')) !== undefined);
  await scene.until('at zero', async () => (await replicas('deployment/web')) === '0');
  expect((await scene.lease(ofDeployment('web')))?.metadata.annotations).toMatchObject({
    'holdfast.dev/replicas': '5',
    'holdfast.dev/contests': '1',
    'holdfast.dev/contested-by': expect.stringMatching(/^Argo CD \(argocd-controller\) at 20/),
  });
  const events = await scene.kubectl(['get', 'events', '--field-selector=reason=ScaleContested', '-o', 'yaml']);
  expect(events).toMatch(/scaled to 5 during the restore, by Argo CD/);
  expect(events.match(/type: \w+/g)).toEqual(['type: Warning']);
  scene.held.delete('web-load');
  expect(await scene.over('web')).toMatchObject({ phase: 'Complete' });
  expect(await replicas('deployment/web')).toBe('5');
  expect(await scene.lease(ofDeployment('web'))).toBeUndefined();
  const { status, message } = (await scene.condition('web', 'ScaleContested')) ?? {};
  expect({ status, message }).toEqual({ status: 'True', message: expect.stringContaining('Argo CD') });
});

test('who does not leave it at zero has it their way: the restore fails, and the app is up', async () => {
  await deployment('stubborn', 2);
  // Never at rest, so nothing is loaded either.
  await pod('stubborn-1', { app: 'stubborn' });
  await scene.restore('stubborn', [ofDeployment('stubborn')]);
  for (let count = 4; count <= 7; count += 1) {
    const known = () => scene.lease(ofDeployment('stubborn')).then((lease) => lease?.metadata.annotations ?? {});
    await scene.until('at zero', async () => {
      const { 'holdfast.dev/at-zero': at, 'holdfast.dev/contests': contests = '0' } = await known();
      return at !== undefined && contests === String(count - 4);
    });
    // Only the last one writes to the object itself, as Flux does.
    const how = count < 7 ? ['--subresource=scale'] : [];
    await scene.write('deployment/stubborn', 'kustomize-controller', { spec: { replicas: count } }, how);
    if (count > 4) continue;
    await scene.until('told', async () => (await scene.condition('stubborn', 'ScaleContested')) !== undefined);
    expect((await scene.condition('stubborn', 'ScaleContested'))?.message).toMatch(
      /scaled to 4 .* by somebody who left no name/,
    );
  }
  expect(await scene.over('stubborn')).toMatchObject({
    phase: 'Failed',
    failure: {
      reason: 'ScaleContested',
      message: expect.stringContaining('scaled to 7 during the restore, by Flux (kustomize-controller)'),
      hint: expect.stringContaining('flux suspend'),
    },
  });
  expect(await replicas('deployment/stubborn')).toBe('7');
  expect(await scene.lease(ofDeployment('stubborn'))).toBeUndefined();
});

test('nothing is swapped while a pod is there that came back during the load', async () => {
  await deployment('back', 1);
  scene.held.add('back-load');
  await scene.restore('back', [ofDeployment('back')]);
  await scene.job('back', 'load');
  await pod('back-1', { app: 'back' });
  scene.held.delete('back-load');
  await scene.until('it waits', async () => (await scene.condition('back', 'Reconciling'))?.reason === 'Quiescing');
  expect((await scene.condition('back', 'Reconciling'))?.message).toBe('waiting for pod back-1 to be gone');
  const swaps = (await scene.jobs()).filter(({ metadata }) => metadata.name.startsWith('back-swap-'));
  expect(swaps).toEqual([]);
  await scene.kubectl(['delete', 'pod', 'back-1', '--grace-period=0', '--force']);
  expect(await scene.over('back')).toMatchObject({ phase: 'Complete' });
});

test('an autoscaler sleeps at zero and wakes up again: the count returned to is one at least', async () => {
  const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'scaled' };
  await deployment('scaled', 1);
  scene.held.add('scaled-load');
  await scene.restore('scaled', [target]);
  await scene.job('scaled', 'load');
  autoscaler = await startAutoscaler();
  // Two at least: whether it is at work can be told without any metrics.
  const spec = { scaleTargetRef: target, minReplicas: 2, maxReplicas: 4 };
  await scene.create({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'scaled' },
    spec,
  });
  const active = '{.status.conditions[?(@.type=="ScalingActive")].reason}';
  await scene.until('it sleeps', async () => (await scene.field('hpa/scaled', active)) === 'ScalingDisabled');
  expect(await replicas('deployment/scaled')).toBe('0');
  scene.held.delete('scaled-load');
  expect(await scene.over('scaled')).toMatchObject({ phase: 'Complete' });
  await scene.until('it is awake', async () => (await replicas('deployment/scaled')) === '2');
  expect(await scene.condition('scaled', 'ScaleContested')).toBeUndefined();
});

test('a plan warns of the autoscaler that wrote the count, and of who applies it', async () => {
  await deployment('warned', 1);
  const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'warned' };
  const spec = { scaleTargetRef: target, minReplicas: 2, maxReplicas: 4 };
  await scene.create({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'warned' },
    spec,
  });
  await scene.until('it scales', async () => (await replicas('deployment/warned')) === '2');
  const applied = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'warned' }, spec: { replicas: 2 } };
  await scene.kubectl(
    ['apply', '--server-side', '--field-manager=argocd-controller', '-f', '-'],
    JSON.stringify(applied),
  );
  scene.held.add('warned-load');
  await scene.restore('warned', [ofDeployment('warned')]);
  await scene.job('warned', 'load');
  const { plan } = (await scene.status('warned')) ?? {};
  expect(plan?.warnings?.toSorted()).toEqual([
    expect.stringContaining('Argo CD (argocd-controller) writes its count'),
    expect.stringContaining('HorizontalPodAutoscaler (kube-controller-manager) writes its count'),
  ]);
  scene.held.delete('warned-load');
  expect(await scene.over('warned')).toMatchObject({ phase: 'Complete' });
  expect(await replicas('deployment/warned')).toBe('2');
});

test('a kind that the chart allows goes to zero by its scale and comes back', async () => {
  await scene.create({ apiVersion: 'example.com/v1', kind: 'Shop', metadata: { name: 'toys' }, spec: { size: 4 } });
  await scene.write('shop/toys', 'x', { status: { sel: 'app=toys', size: 4 } }, ['--subresource=status']);
  scene.held.add('toys-load');
  const toys = { apiVersion: 'example.com/v1', kind: 'Shop', name: 'toys' };
  await scene.restore('toys', [toys]);
  await scene.job('toys', 'load');
  expect(await scene.field('shop/toys', '{.spec.size}')).toBe('0');
  expect((await scene.lease(toys))?.metadata.annotations).toMatchObject({
    'holdfast.dev/workload': 'shops.example.com/toys',
    'holdfast.dev/replicas': '4',
  });
  scene.held.delete('toys-load');
  expect(await scene.over('toys')).toMatchObject({ phase: 'Complete' });
  expect(await scene.field('shop/toys', '{.spec.size}')).toBe('4');
});

test('a kind that is not allowed, and a workload that is not there, are refused together with the plan, and nothing is touched', async () => {
  await deployment('untouched', 3);
  const unknown = { apiVersion: 'example.com/v2', kind: 'Market', name: 'm' };
  await scene.restore('refused', [ofDeployment('untouched'), unknown, { kind: 'StatefulSet', name: 'nowhere' }]);
  const { failure, phase } = (await scene.over('refused')) ?? {};
  expect(phase).toBe('Failed');
  expect(failure?.message).toContain('The operator may not take Market "m" (example.com/v2) to zero, only Deployment');
  expect(failure?.message).toContain('There is no StatefulSet "nowhere"');
  expect(failure?.hint).toContain('restore.scalableKinds: [{group: example.com, version: v2, kind: Market');
  expect(await replicas('deployment/untouched')).toBe('3');
  expect(await scene.lease(ofDeployment('untouched'))).toBeUndefined();
});

test('a CronJob is suspended, its Jobs are waited for, and it is resumed; one that was suspended before stays so', async () => {
  const jobTemplate = { spec: { template: { spec: { ...template('x').spec, restartPolicy: 'Never' } } } };
  const cronJob = (name: string, suspend: boolean) =>
    scene.create({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name },
      spec: { schedule: '* * * * *', suspend, jobTemplate },
    });
  await cronJob('report', false);
  await cronJob('idle', true);
  const uid = await scene.field('cronjob/report', '{.metadata.uid}');
  const owner = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'report', uid, controller: true };
  const metadata = { name: 'report-1', ownerReferences: [owner] };
  await scene.create({ apiVersion: 'batch/v1', kind: 'Job', metadata, spec: jobTemplate.spec });
  const ofCronJob = (name: string) => ({ apiVersion: 'batch/v1', kind: 'CronJob', name });
  await scene.restore('crons', [ofCronJob('report'), ofCronJob('idle')]);
  await scene.until('it waits', async () =>
    /Job report-1/.test((await scene.condition('crons', 'Reconciling'))?.message ?? ''),
  );
  expect(await scene.field('cronjob/report', '{.spec.suspend}')).toBe('true');
  expect((await scene.lease(ofCronJob('report')))?.metadata.annotations).toMatchObject({
    'holdfast.dev/workload': 'cronjobs.batch/report',
    'holdfast.dev/suspend': 'false',
  });
  await scene.kubectl(['delete', 'job', 'report-1', '--cascade=background']);
  expect(await scene.over('crons')).toMatchObject({ phase: 'Complete' });
  expect(await scene.field('cronjob/report', '{.spec.suspend}')).toBe('false');
  expect(await scene.field('cronjob/idle', '{.spec.suspend}')).toBe('true');
});

test('none of it asked for more than the chart grants', () => {
  expect(proxy.asked.filter(({ status }) => status === 403)).toEqual([]);
  expect(operator.bugs).toEqual([]);
});

/** The one controller of Kubernetes that is wanted here, the real one. */
async function startAutoscaler(): Promise<TiedProcess> {
  return startTied(
    await program('kube-controller-manager'),
    [
      ...['--kubeconfig', server.kubeconfig, '--controllers=horizontal-pod-autoscaler-controller'],
      ...['--leader-elect=false', '--secure-port=0', '--horizontal-pod-autoscaler-sync-period=1s'],
    ],
    { log: join(server.dir, 'autoscaler.log') },
  );
}
