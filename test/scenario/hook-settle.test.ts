/**
 * What an uninstall settles, against a real API server, with the rights that the chart gives the hook and no other. The
 * test plays the operator: it renews the leader's Lease, and lets a Restore go once it was deleted.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Lease } from '../../src/api/kubernetes.ts';
import {
  ANNOTATIONS,
  FINALIZERS,
  LABELS,
  MANAGED_BY,
  scaleLeaseName,
  scratchDatabaseName,
} from '../../src/api/names.ts';
import type { Restore } from '../../src/api/restore.ts';
import { CRON_JOBS } from '../../src/api/workloads.ts';
import { scaleLease } from '../../src/controllers/leases.ts';
import { settle } from '../../src/hooks/settle.ts';
import { SILENCE_MS } from '../../src/hooks/settle-plan.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import { Http } from '../../src/kube/http.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { LEADER_LEASE } from '../../src/kube/leader.ts';
import { HoldfastError } from '../../src/lib/errors.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { type ApiProxy, speakingFor, startApiProxy } from '../support/api-proxy.ts';
import { failureOf } from '../support/failure.ts';
import { chartAccount } from '../support/kube-account.ts';
import { kubectl as call, installKinds } from '../support/kube-crds.ts';

/** How much faster the hook's clock runs than the test's: its patience of minutes is seconds then. */
const FAST = 10;

let server: ApiServer;
let proxy: ApiProxy;
let account: string;
let person: KubeCluster;
let said: string[];
let stopOperator: () => Promise<void> = async () => undefined;
const open: Http[] = [];

const kubectl = (args: readonly string[], input?: string) => call(server.kubeconfig, args, input);

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  await kubectl(['create', 'namespace', 'shop']);
  proxy = await startApiProxy(server.kubeconfig);
  account = await chartAccount(server.kubeconfig, 'holdfast-settle', { 'restore.suspendCronJobs': 'true' });
  person = clusterOf(proxy.credentials.access);
}, 120_000);

afterAll(async () => {
  for (const http of open) http.close();
  await proxy?.stop();
  await server?.stop();
});

beforeEach(() => {
  said = [];
  proxy.fault = () => undefined;
});

afterEach(async () => {
  await stopOperator();
  stopOperator = async () => undefined;
});

function clusterOf(access: ApiProxy['credentials']['access']): KubeCluster {
  const http = new Http({ ...proxy.credentials, access }, { timeout: 20_000 });
  open.push(http);
  return new KubeCluster(http);
}

function settled(as = account): Promise<void> {
  return settle({
    cluster: clusterOf(speakingFor(as)),
    namespace: 'holdfast-system',
    scalableKinds: [CRON_JOBS],
    say: (line) => said.push(line),
    clock: () => performance.now() * FAST,
    every: 100,
  });
}

async function failure(promise: Promise<unknown>): Promise<HoldfastError> {
  const caught = await failureOf(promise);
  expect(caught).toBeInstanceOf(HoldfastError);
  return caught as HoldfastError;
}

/** Renews the Lease, and ends what was deleted. */
function playOperator(end: (restore: Restore) => Promise<void>): void {
  let going = true;
  const run = async () => {
    const metadata = { name: LEADER_LEASE, namespace: 'holdfast-system' };
    let lease = await person.create<Lease>({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata });
    for (let beat = 0; going; beat += 1) {
      lease = await person.updateLease(lease, { holderIdentity: 'an operator', leaseTransitions: beat });
      const restores = await person.list(KIND.restore);
      for (const restore of restores.filter(({ metadata }) => metadata.deletionTimestamp !== undefined))
        await end(restore);
    }
  };
  const running = run();
  stopOperator = async () => {
    going = false;
    await running;
  };
}

async function aRestore(
  name: string,
  status: object = {},
  finalizers: string[] = [FINALIZERS.restore],
): Promise<Restore> {
  const restore = await person.create<Restore>({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Restore',
    metadata: { name, namespace: 'shop', finalizers },
    ...{ spec: { from: { backupRef: { name: 'b' } } } },
  });
  return person.applyStatus(KIND.restore, { ...restore.metadata }, status);
}

const COMPLETE = {
  conditions: [
    {
      type: 'Complete',
      status: 'True',
      reason: 'Restored',
      message: '',
      observedGeneration: 1,
      lastTransitionTime: '2026-11-24T12:00:00Z',
    },
  ],
};

/** At zero for that Restore, as its Lease says. */
async function takenApp(name: string, restore: Restore, replicas = 3): Promise<void> {
  const labels = { app: name };
  const pod = { containers: [{ name: 'c', image: 'x' }] };
  await person.create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop' },
    ...{ spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } } },
  });
  const { uid } = restore.metadata;
  await person.create({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: scaleLeaseName({ kind: 'Deployment', name }),
      namespace: 'shop',
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.kind]: 'restore', [LABELS.owner]: uid },
      annotations: {
        [ANNOTATIONS.workload]: `Deployment/${name}`,
        [ANNOTATIONS.replicas]: String(replicas),
        [ANNOTATIONS.holder]: `Restore shop/${restore.metadata.name}`,
      },
    },
    ...{ spec: { holderIdentity: uid } },
  });
}

const find = (name: string) => person.get(KIND.restore, { namespace: 'shop', name });

test('where there is nothing, it returns at once', async () => {
  await settled();
  expect(said).toEqual(['Nothing is left that needs the operator.']);
});

test('a Restore that is not over is deleted, and the operator has the time to end it; one that is over stays', async () => {
  await aRestore('over', COMPLETE, []);
  await aRestore('running');
  let begun: number | undefined;
  playOperator(async (restore) => {
    begun ??= performance.now();
    // By the hook's own clock longer than an operator may be silent.
    const enough = (performance.now() - begun) * FAST > SILENCE_MS + 10_000;
    if (enough) await person.setFinalizers(KIND.restore, { ...restore.metadata }, []);
  });
  await settled();
  expect(await find('running')).toBeUndefined();
  expect(await find('over')).toBeDefined();
  expect(said).toEqual([
    'Restore shop/running is not over: deleted, so that the operator ends it and brings its app back.',
    'Waiting for the operator to end Restore shop/running.',
    'Nothing is left that needs the operator.',
  ]);
});

test('without an operator, a Restore that holds no app is let go, and what may be left of it is named', async () => {
  const { metadata } = await aRestore('nobody-ends-it');
  await settled();
  expect(await find('nobody-ends-it')).toBeUndefined();
  expect(said.join('\n')).toContain(`let go. Its database may have left ${scratchDatabaseName(metadata)}`);
});

test('a finalizer that was left on a Restore that is over goes, and the Restore and the finalizers of others stay', async () => {
  await aRestore('just-over', COMPLETE, [FINALIZERS.restore, 'example.com/theirs']);
  await settled();
  expect((await find('just-over'))?.metadata.finalizers).toEqual(['example.com/theirs']);
  expect((await find('just-over'))?.metadata.deletionTimestamp).toBeUndefined();
});

test('without an operator, an app at zero is told by name and the Restore is held; the commands that it tells bring the app back, and then it settles', async () => {
  const restore = await aRestore('app-at-zero');
  await takenApp('web', restore);
  const trouble = await failure(settled());
  expect(trouble).toMatchObject({
    reason: 'AppAtZero',
    message: 'Deployment/web in shop is at zero: Restore shop/app-at-zero took it there, from 3.',
  });
  expect((await find('app-at-zero'))?.metadata.finalizers).toEqual([FINALIZERS.restore]);
  expect(trouble.hint).toMatch(/^No operator works/);

  const [line = ''] = trouble.hint?.split('\n').filter((each) => each.startsWith('  kubectl')) ?? [];
  for (const command of line.trim().split(' && ')) await kubectl(command.split(' ').slice(1));
  const scale = await person.getScale(KIND.deployment, { namespace: 'shop', name: 'web' });
  expect(scale?.spec.replicas).toBe(3);
  await settled();
  expect(await find('app-at-zero')).toBeUndefined();
});

test('an app that nobody is responsible for any more is told at once', async () => {
  const restore = await aRestore('gone', {}, []);
  await takenApp('orphan', restore, 2);
  await person.delete(KIND.restore, { ...restore.metadata });
  const begun = performance.now();
  const trouble = await failure(settled());
  expect(trouble.message).toBe('Deployment/orphan in shop is at zero: Restore shop/gone took it there, from 2.');
  expect((performance.now() - begun) * FAST).toBeLessThan(SILENCE_MS);
  await kubectl(['delete', 'lease', '-n', 'shop', '-l', `${LABELS.managedBy}=${MANAGED_BY}`]);
});

test('a CronJob that is suspended for a Restore is told with the line that resumes it', async () => {
  const restore = await aRestore('no-reports', {}, []);
  const workload = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'report' };
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } };
  const metadata = { name: 'report', namespace: 'shop' };
  const spec = { schedule: '@daily', suspend: true, jobTemplate: { spec: { template } } };
  await person.create({ apiVersion: 'batch/v1', kind: 'CronJob', metadata, ...{ spec } });
  await person.create(scaleLease(workload, CRON_JOBS, 1, { kind: 'Restore', metadata: restore.metadata }));
  await person.delete(KIND.restore, { ...restore.metadata });
  const trouble = await failure(settled());
  expect(trouble.hint).toContain(
    `kubectl --namespace shop patch cronjobs.batch/report --patch '{"spec":{"suspend":false}}'`,
  );
  await kubectl(['-n', 'shop', 'patch', 'cronjobs.batch/report', '--patch', '{"spec":{"suspend":false}}']);
  await settled();
  await kubectl(['delete', 'lease', '-n', 'shop', '-l', `${LABELS.managedBy}=${MANAGED_BY}`]);
});

test('an account without rights is told how to go on without this look', async () => {
  expect(await failure(settled('somebody'))).toMatchObject({
    reason: 'Forbidden',
    hint: expect.stringContaining('helm uninstall --no-hooks'),
  });
});

test('an API server that fails now and then is asked again', async () => {
  await aRestore('in-trouble');
  let asked = 0;
  proxy.fault = () => {
    asked += 1;
    return asked % 7 === 0 ? { status: 503 } : undefined;
  };
  await settled();
  proxy.fault = () => undefined;
  expect(await find('in-trouble')).toBeUndefined();
});

test.each([
  ['make a Restore', ['create', 'restores.holdfast.dev']],
  ['write the status of one', ['patch', 'restores.holdfast.dev/status']],
  ['scale a workload', ['update', 'deployments.apps/scale']],
  ['write a Lease', ['update', 'leases.coordination.k8s.io']],
  ['delete a Job', ['delete', 'jobs.batch']],
  ['read a Secret', ['get', 'secrets']],
])("the hook's account may not %s", async (_what, [verb = '', resource = '']) => {
  const [name = '', subresource] = resource.split('/');
  const about = subresource === undefined ? [] : [`--subresource=${subresource}`];
  await expect(kubectl(['auth', 'can-i', verb, name, ...about, '-n', 'shop', `--as=${account}`])).rejects.toThrow(
    /ended with 1/,
  );
});

test('our kinds were removed before: there is nothing that could wait', async () => {
  proxy.fault = ({ path }) => (path.endsWith('/restores') ? { status: 404, reason: 'NotFound' } : undefined);
  await settled();
  expect(said).toEqual(['Nothing is left that needs the operator.']);
});
