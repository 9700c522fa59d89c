/** Apps that go to zero for a restore, on a real API server, with the rights that the chart gives: who else writes the count, and other kinds. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { CRON_JOBS } from '../../src/api/workloads.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { restoreController } from '../../src/controllers/restore/observe.ts';
import { program } from '../cluster/programs.ts';
import { startTied, type TiedProcess } from '../cluster/tied-process.ts';
import { waitFor } from '../cluster/wait.ts';
import type { ScalingScene } from '../support/kube-scaling-scene.ts';
import { type ScalingWorld, scalingWorld } from '../support/kube-scaling-world.ts';

jest.setTimeout(60_000);

const SHOPS = { apiVersion: 'example.com/v1', kind: 'Shop', plural: 'shops' };
const STALLS = { apiVersion: 'example.com/v1', kind: 'Stall', plural: 'stalls' };

/** What the chart is told, for Shops, Stalls and CronJobs. */
const VALUES = {
  'restore.suspendCronJobs': 'true',
  'restore.scalableKinds[0].group': 'example.com',
  'restore.scalableKinds[0].version': 'v1',
  'restore.scalableKinds[0].resource': 'shops',
  'restore.scalableKinds[0].kind': 'Shop',
  'restore.scalableKinds[1].group': 'example.com',
  'restore.scalableKinds[1].version': 'v1',
  'restore.scalableKinds[1].resource': 'stalls',
  'restore.scalableKinds[1].kind': 'Stall',
};

let it: ScalingWorld;
let scene: ScalingScene;
let autoscaler: TiedProcess | undefined;

beforeAll(async () => {
  it = await scalingWorld([restoreController as AnyController], {
    values: VALUES,
    scalableKinds: [SHOPS, STALLS, CRON_JOBS],
    prepare: async (prepared) => {
      await prepared.create(crd(SHOPS, { labelSelectorPath: '.status.sel' }));
      await prepared.create(crd(STALLS));
    },
  });
  ({ scene } = it);
}, 120_000);

afterAll(async () => {
  await autoscaler?.stop();
  await it?.[Symbol.asyncDispose]();
});

/** A kind with a scale subresource, whose count is where its author put it. */
const crd = ({ kind, plural }: typeof SHOPS, more: object = {}) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.example.com` },
  spec: {
    group: 'example.com',
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size', ...more },
        },
      },
    ],
  },
});

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
  await scene.until('at zero', async () => (await scene.field('shop/toys', '{.spec.size}')) === '0');
  // What its controller would say now.
  await scene.write('shop/toys', 'x', { status: { size: 0 } }, ['--subresource=status']);
  await scene.job('toys', 'load');
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

test('a kind whose scale tells no selector is refused with the plan, and nothing is touched', async () => {
  await scene.create({ apiVersion: 'example.com/v1', kind: 'Stall', metadata: { name: 'fish' }, spec: { size: 2 } });
  await scene.restore('nameless', [{ apiVersion: 'example.com/v1', kind: 'Stall', name: 'fish' }]);
  expect(await scene.over('nameless')).toMatchObject({
    phase: 'Failed',
    failure: { reason: 'WorkloadWithoutSelector', hint: expect.stringContaining('labelSelectorPath') },
  });
  expect(await scene.field('stall/fish', '{.spec.size}')).toBe('2');
});

test('a replica that its own controller still counts is waited for, though no pod of it is found', async () => {
  await scene.create({ apiVersion: 'example.com/v1', kind: 'Shop', metadata: { name: 'slow' }, spec: { size: 2 } });
  const counted = (size: number) =>
    scene.write('shop/slow', 'x', { status: { sel: 'app=slow', size } }, ['--subresource=status']);
  await counted(2);
  await scene.restore('slow', [{ apiVersion: 'example.com/v1', kind: 'Shop', name: 'slow' }]);
  const waits = async () => (await scene.condition('slow', 'Reconciling'))?.message ?? '';
  await scene.until('it waits', async () => (await waits()).endsWith('to have no replica (2 of them left)'));
  expect((await scene.jobs()).filter(({ metadata }) => metadata.name.startsWith('slow-load-'))).toEqual([]);
  await counted(0);
  expect(await scene.over('slow')).toMatchObject({ phase: 'Complete' });
  expect(await scene.field('shop/slow', '{.spec.size}')).toBe('2');
});

test('an app whose return somebody denies keeps no other at zero, and comes back once that is mended', async () => {
  // In the order in which they are brought back.
  const names = ['front', 'denied', 'free'];
  for (const name of names) await deployment(name, 2);
  await denyReturnOf('denied');
  await scene.restore('denied', names.map(ofDeployment));
  await scene.until('the others are back', async () => {
    const counts = await Promise.all(['front', 'free'].map((name) => replicas(`deployment/${name}`)));
    return counts.every((count) => count === '2');
  });
  await scene.until('it is told', async () => (await scene.status('denied'))?.failure !== undefined);
  expect(await scene.status('denied')).toMatchObject({
    phase: 'Resuming',
    failure: { message: expect.stringContaining("ValidatingAdmissionPolicy 'no-return'") },
    scaledWorkloads: expect.arrayContaining([
      expect.objectContaining({ name: 'denied', replicas: 2, restored: false }),
    ]),
  });
  expect(await replicas('deployment/denied')).toBe('0');
  const leases = await Promise.all(names.map((name) => scene.lease(ofDeployment(name))));
  expect(leases.map((lease) => lease?.metadata.annotations?.['holdfast.dev/replicas'])).toEqual([
    undefined,
    '2',
    undefined,
  ]);
  await scene.kubectl(['delete', 'validatingadmissionpolicybinding,validatingadmissionpolicy', 'no-return']);
  expect(await scene.over('denied')).toMatchObject({ phase: 'Complete' });
  expect(await replicas('deployment/denied')).toBe('2');
});

test('an app of which the API server does not tell keeps no other at zero, and a deletion says what it waits for', async () => {
  const unseen = { apiVersion: 'example.com/v1', kind: 'Shop', name: 'unseen' };
  await scene.create({ apiVersion: 'example.com/v1', kind: 'Shop', metadata: { name: 'unseen' }, spec: { size: 2 } });
  await scene.write('shop/unseen', 'x', { status: { sel: 'app=unseen' } }, ['--subresource=status']);
  await deployment('seen', 2);
  scene.held.add('unseen-load');
  await scene.restore('unseen', [ofDeployment('seen'), unseen]);
  await scene.job('unseen', 'load');
  it.proxy.fault = ({ path }) =>
    path.includes('/shops/unseen') ? { status: 500, reason: 'InternalError' } : undefined;
  try {
    await scene.kubectl(['delete', 'restore', 'unseen', '--wait=false']);
    await scene.until('the other is back', async () => (await replicas('deployment/seen')) === '2');
    await scene.until('it is told', async () => (await scene.status('unseen'))?.failure !== undefined);
    expect(await scene.status('unseen')).toMatchObject({
      phase: 'Resuming',
      failure: { reason: 'WorkloadUnreadable', message: expect.stringContaining('Shop "unseen"') },
    });
    expect(await scene.field('shop/unseen', '{.spec.size}')).toBe('0');
  } finally {
    it.proxy.fault = () => undefined;
  }
  // Looked at again after thirty seconds.
  await waitFor(async () => (await scene.field('shop/unseen', '{.spec.size}')) === '2', {
    ...{ timeoutMs: 45_000, everyMs: 500, otherwise: () => 'it never came back' },
  });
  await scene.until(
    'it is gone',
    async () => (await scene.kubectl(['get', 'restores', '-o', 'name'])).includes('/unseen') === false,
  );
}, 120_000);

/** Down, but not up again. */
async function denyReturnOf(name: string): Promise<void> {
  const rule = { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['deployments/scale'] };
  const policy = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'no-return' },
    spec: {
      matchConstraints: { resourceRules: [rule] },
      validations: [
        {
          expression: `object.metadata.name != '${name}' || !has(object.spec.replicas) || object.spec.replicas == 0`,
          message: 'not today',
        },
      ],
    },
  };
  const binding = {
    ...{ apiVersion: policy.apiVersion, kind: 'ValidatingAdmissionPolicyBinding', metadata: policy.metadata },
    spec: { policyName: 'no-return', validationActions: ['Deny'] },
  };
  await scene.create(policy);
  await scene.create(binding);
  // The API server takes a moment until it denies anything.
  await scene.until('it is denied', async () => {
    const scaled = scene.kubectl(['scale', `deployment/${name}`, '--replicas=3', '--dry-run=server']);
    return scaled.then(
      () => false,
      () => true,
    );
  });
}

test('none of it asked for more than the chart grants', () => {
  const isDenied = (path: string) => path.includes('/deployments/denied/scale');
  expect(it.proxy.asked.filter(({ status, path }) => status === 403 && !isDenied(path))).toEqual([]);
  expect(it.operator.bugs).toEqual([]);
});

/** The one controller of Kubernetes that is wanted here, the real one. */
async function startAutoscaler(): Promise<TiedProcess> {
  return startTied(
    await program('kube-controller-manager'),
    [
      ...['--kubeconfig', it.server.kubeconfig, '--controllers=horizontal-pod-autoscaler-controller'],
      ...['--leader-elect=false', '--secure-port=0', '--horizontal-pod-autoscaler-sync-period=1s'],
    ],
    { log: join(it.server.dir, 'autoscaler.log') },
  );
}
