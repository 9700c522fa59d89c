/** The calls of the port, and the actions made of them, against a real API server: what each promises, also when its answer is lost. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Job, KubeObject, Lease, NewJob, NewLease, ScalableWorkload } from '../../src/api/kubernetes.ts';
import { LABELS } from '../../src/api/names.ts';
import type { Restore } from '../../src/api/restore.ts';
import type { Action } from '../../src/controllers/action.ts';
import { apply, type Target } from '../../src/controllers/apply.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import type { Version } from '../../src/kube/cluster.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../src/kube/errors.ts';
import { Http } from '../../src/kube/http.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { type ApiProxy, type Fault, isWrite, startApiProxy } from '../support/api-proxy.ts';
import { failureOf } from '../support/failure.ts';
import { installKinds, kubectl } from '../support/kube-crds.ts';

let server: ApiServer;
let proxy: ApiProxy;
let cluster: KubeCluster;
/** Does not wait long, for the calls that get no answer. */
let hasty: KubeCluster;
let count = 0;

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  proxy = await startApiProxy(server.kubeconfig);
  cluster = new KubeCluster(new Http(proxy.credentials));
  hasty = new KubeCluster(new Http(proxy.credentials, { timeout: 1_000 }));
}, 120_000);

afterAll(async () => {
  await proxy?.stop();
  await server?.stop();
});

afterEach(() => {
  proxy.fault = () => undefined;
});

const fresh = (word: string) => {
  count += 1;
  return `${word}-${count}`;
};

function newJob(name: string, owner = 'owner'): NewJob {
  const container = { name: 'runner', image: 'x' };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'default', labels: { [LABELS.owner]: owner } },
    spec: { template: { spec: { restartPolicy: 'Never', containers: [container] } } },
  };
}

function newLease(name: string, owner = 'owner'): NewLease {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: 'default', labels: { [LABELS.owner]: owner }, annotations: { note: 'kept' } },
    spec: { holderIdentity: owner },
  };
}

async function newRestore(name = fresh('restore')): Promise<Restore> {
  const spec = { from: { backupRef: { name: 'b' } } };
  return cluster.create<Restore>({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Restore',
    metadata: { name, namespace: 'default' },
    ...{ spec },
  });
}

async function newDeployment(replicas: number): Promise<ScalableWorkload> {
  const labels = { app: fresh('app') };
  const spec = {
    replicas,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: newJob('x').spec },
  };
  const pod = { containers: [{ name: 'c', image: 'x' }] };
  return cluster.create<ScalableWorkload>({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: labels.app, namespace: 'default' },
    ...{ spec: { ...spec, template: { metadata: { labels }, spec: pod } } },
  });
}

function versionOf({ metadata }: KubeObject): Version {
  const { namespace = '', name, uid, resourceVersion } = metadata;
  return { namespace, name, uid, resourceVersion };
}

const place = (name: string) => ({ namespace: 'default', name });

describe('reads', () => {
  test('give undefined where there is nothing, and throw other trouble', async () => {
    expect(await cluster.get(KIND.job, place('nothing'))).toBeUndefined();
    expect(await cluster.getScale(KIND.deployment, place('nothing'))).toBeUndefined();
    proxy.fault = () => ({ status: 403, reason: 'Forbidden' });
    expect(await failureOf(cluster.get(KIND.job, place('nothing')))).toMatchObject({ status: 403 });
  });

  test('of a list name kind and version of each item, as a watch does', async () => {
    const name = fresh('job');
    await cluster.create(newJob(name, name));
    const [job] = await cluster.list(KIND.job, { namespace: 'default', labelSelector: `${LABELS.owner}=${name}` });
    expect([job?.apiVersion, job?.kind]).toEqual(['batch/v1', 'Job']);
  });

  test('of a list that breaks on its second page are thrown, never cut short', async () => {
    const owner = fresh('many');
    for (let i = 0; i < 51; i += 1) {
      await Promise.all(
        Array.from({ length: 10 }, (_, k) => cluster.create(newLease(`${owner}-${i * 10 + k}`, owner))),
      );
    }
    const options = { labelSelector: `${LABELS.owner}=${owner}` };
    expect(await cluster.list(KIND.lease, options)).toHaveLength(510);
    proxy.fault = ({ query }) => (query.has('continue') ? { status: 410, reason: 'Expired' } : undefined);
    expect(await failureOf(cluster.list(KIND.lease, options))).toMatchObject({ status: 410 });
  }, 60_000);
});

describe('a create', () => {
  test('of a name that is taken is told from other conflicts', async () => {
    const lease = newLease(fresh('lease'));
    await cluster.create(lease);
    const error = await failureOf(cluster.create(lease));
    expect([isAlreadyExists(error), isConflict(error)]).toEqual([true, false]);
  });
});

describe('a delete', () => {
  test('hits the object with this uid only', async () => {
    const lease = await cluster.create<Lease>(newLease(fresh('lease')));
    const { name } = lease.metadata;
    const other = await failureOf(cluster.delete(KIND.lease, { ...place(name), uid: 'other' }));
    expect(isConflict(other)).toBe(true);
    expect(await cluster.get(KIND.lease, place(name))).toBeDefined();
    await cluster.delete(KIND.lease, versionOf(lease));
    expect(await cluster.get(KIND.lease, place(name))).toBeUndefined();
    expect(isNotFound(await failureOf(cluster.delete(KIND.lease, versionOf(lease))))).toBe(true);
  });

  test('with a resourceVersion is refused once somebody has changed the object', async () => {
    const lease = await cluster.create<Lease>(newLease(fresh('lease')));
    await cluster.updateLease(lease, { holderIdentity: 'somebody' });
    const { resourceVersion } = lease.metadata;
    expect(isConflict(await failureOf(cluster.delete(KIND.lease, versionOf(lease), { resourceVersion })))).toBe(true);
  });
});

describe('a status', () => {
  test('is written whole: what it no longer says goes, what somebody else wrote stays', async () => {
    const restore = await newRestore();
    const first = await cluster.applyStatus(KIND.restore, versionOf(restore), { phase: 'Pending', attempts: 1 });
    const { name } = restore.metadata;
    const patch = JSON.stringify({ status: { jobName: 'theirs' } });
    const args = ['patch', 'restore', name, '--subresource=status', '--type=merge', '-p', patch];
    await kubectl(server.kubeconfig, args);
    const now = (await cluster.get(KIND.restore, place(name))) as Restore;
    expect(now.metadata.resourceVersion).not.toBe(first.metadata.resourceVersion);
    const second = await cluster.applyStatus(KIND.restore, versionOf(now), { phase: 'Loading' });
    expect(second.status).toEqual({ observedGeneration: -1, phase: 'Loading', jobName: 'theirs' });
  });

  test('leaves out what the kind in the cluster does not have, since it is older than this operator', async () => {
    const restore = await newRestore();
    const status = { ofTomorrow: 1, phase: 'Pending', alsoOfTomorrow: { a: [2] } };
    const applied = await cluster.applyStatus(KIND.restore, versionOf(restore), status);
    expect(applied.status).toEqual({ observedGeneration: -1, phase: 'Pending' });
  });

  test('of an object that was changed since, was made anew or is gone is refused', async () => {
    const restore = await newRestore();
    await cluster.applyStatus(KIND.restore, versionOf(restore), { phase: 'Pending' });
    const write = (seen: Partial<Version>) =>
      failureOf(cluster.applyStatus(KIND.restore, { ...versionOf(restore), ...seen }, { phase: 'Failed' }));
    expect(isConflict(await write({}))).toBe(true);
    expect(isNotFound(await write({ name: 'nothing' }))).toBe(true);
    expect((await cluster.get(KIND.restore, versionOf(restore)))?.status).toMatchObject({ phase: 'Pending' });
    await cluster.delete(KIND.restore, versionOf(restore));
    await newRestore(restore.metadata.name);
    expect(isConflict(await write({}))).toBe(true);
    expect((await cluster.get(KIND.restore, versionOf(restore)))?.status).toEqual({ observedGeneration: -1 });
  });

  test('that is the same changes nothing, not even the resourceVersion', async () => {
    const restore = await newRestore();
    const first = await cluster.applyStatus(KIND.restore, versionOf(restore), { phase: 'Pending' });
    const second = await cluster.applyStatus(KIND.restore, versionOf(first), { phase: 'Pending' });
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });
});

describe('finalizers', () => {
  test('are replaced, and refused on a copy that is behind', async () => {
    const restore = await newRestore();
    const with1 = await cluster.setFinalizers(KIND.restore, versionOf(restore), ['holdfast.dev/restore']);
    expect(with1.metadata.finalizers).toEqual(['holdfast.dev/restore']);
    expect(isConflict(await failureOf(cluster.setFinalizers(KIND.restore, versionOf(restore), [])))).toBe(true);
    const without = await cluster.setFinalizers(KIND.restore, versionOf(with1), []);
    expect(without.metadata.finalizers).toBeUndefined();
  });
});

describe('a scale', () => {
  test('tells count, selector and version of the workload, and is written only on that version', async () => {
    const deployment = await newDeployment(3);
    const { name } = deployment.metadata;
    const scale = await cluster.getScale(KIND.deployment, place(name));
    expect(scale?.spec.replicas).toBe(3);
    expect(scale?.status.selector).toBe(`app=${name}`);
    expect(versionOf(scale as KubeObject)).toEqual(versionOf(deployment));
    const after = await cluster.setScale(KIND.deployment, versionOf(deployment), 0);
    expect(after.spec.replicas ?? 0).toBe(0);
    expect(isConflict(await failureOf(cluster.setScale(KIND.deployment, versionOf(deployment), 3)))).toBe(true);
    const foreign = { ...versionOf(after), uid: 'other' };
    expect(isConflict(await failureOf(cluster.setScale(KIND.deployment, foreign, 3)))).toBe(true);
  });
});

describe('a Lease', () => {
  test('keeps labels and annotations when it is renewed, and is refused when somebody was quicker', async () => {
    const lease = await cluster.create<Lease>(newLease(fresh('lease')));
    const renewed = await cluster.updateLease(lease, { holderIdentity: 'b', renewTime: '2026-11-24T08:00:00.123456Z' });
    expect(renewed.metadata.annotations).toEqual({ note: 'kept' });
    expect(renewed.spec).toEqual({ holderIdentity: 'b', renewTime: '2026-11-24T08:00:00.123456Z' });
    expect(isConflict(await failureOf(cluster.updateLease(lease, { holderIdentity: 'c' })))).toBe(true);
  });
});

describe('an event', () => {
  test('said twice is one, and kubectl shows it', async () => {
    const restore = await newRestore();
    const regarding = { apiVersion: restore.apiVersion, kind: 'Restore', ...versionOf(restore) };
    const { resourceVersion: _, ...reference } = regarding;
    const report = { regarding: reference, type: 'Warning', reason: 'NoKey', note: 'There is no key.' } as const;
    await cluster.event(report, new Date());
    await cluster.event(report, new Date());
    const field = `regarding.name=${restore.metadata.name}`;
    const shown = await kubectl(server.kubeconfig, ['get', 'events.events.k8s.io', '--field-selector', field]);
    expect(shown.trim().split('\n')).toHaveLength(2);
    expect(shown).toContain('There is no key.');
  });
});

/** What leaves a write's outcome open, and what leaves no doubt that it was not carried out. */
const TROUBLE: readonly (readonly [string, Fault])[] = [
  ['refused', 'refuse'],
  ['carried out, its answer lost', 'lose-answer'],
  ['carried out, never answered', 'never-answer'],
  ['never answered', 'hang'],
  ['answered by half', 'cut'],
  ['answered by garbage', 'garbage'],
  ['429', { status: 429, reason: 'TooManyRequests', retryAfter: 1 }],
  ['500', { status: 500, reason: 'InternalError' }],
  ['503', { status: 503 }],
];

/** Each action with the object that it needs and what must be so in the end. */
const ACTIONS: readonly (readonly [
  string,
  () => Promise<{ action: Exclude<Action, { action: 'event' }>; target?: Target; done: () => Promise<void> }>,
])[] = [
  [
    'createJob',
    async () => {
      const job = newJob(fresh('job'));
      const done = async () => expect(await cluster.get(KIND.job, job.metadata)).toBeDefined();
      return { action: { action: 'createJob', job }, done };
    },
  ],
  [
    'createLease',
    async () => {
      const lease = newLease(fresh('lease'));
      const done = async () =>
        expect((await cluster.get(KIND.lease, lease.metadata))?.spec?.holderIdentity).toBe('owner');
      return { action: { action: 'createLease', lease }, done };
    },
  ],
  [
    'deleteJob',
    async () => {
      const job = await cluster.create<Job>(newJob(fresh('job')));
      const done = async () => expect(await cluster.get(KIND.job, versionOf(job))).toBeUndefined();
      return { action: { action: 'deleteJob', ...versionOf(job) }, done };
    },
  ],
  [
    'deleteLease',
    async () => {
      const lease = await cluster.create<Lease>(newLease(fresh('lease')));
      const done = async () => expect(await cluster.get(KIND.lease, versionOf(lease))).toBeUndefined();
      return { action: { action: 'deleteLease', ...versionOf(lease) }, done };
    },
  ],
  [
    'addFinalizer',
    async () => {
      const restore = await newRestore();
      const target = { kind: KIND.restore, version: versionOf(restore), finalizers: [] };
      const done = async () =>
        expect((await cluster.get(KIND.restore, versionOf(restore)))?.metadata.finalizers).toEqual(['holdfast.dev/x']);
      return { action: { action: 'addFinalizer', finalizer: 'holdfast.dev/x' }, target, done };
    },
  ],
];

const nobody: Target = {
  kind: KIND.restore,
  version: { ...place('x'), uid: 'x', resourceVersion: '1' },
  finalizers: [],
};

describe('an action whose call went wrong', () => {
  const cases = ACTIONS.flatMap(([name, make]) =>
    TROUBLE.map(([trouble, fault]) => [name, trouble, fault, make] as const),
  );
  test.each(cases)('%s, %s: done once by the next try', async (_name, _trouble, fault, make) => {
    const { action, target = nobody, done } = await make();
    const hands = { cluster, learn: () => undefined };
    proxy.fault = (asked) => (isWrite(asked) ? fault : undefined);
    expect(await failureOf(apply(action, target, { ...hands, cluster: hasty }))).toMatchObject({ outlook: 'retry' });
    proxy.fault = () => undefined;
    // The next pass looks first, and so has the version that is there.
    const now = await cluster.get(target.kind, target.version);
    const looked =
      now === undefined ? target : { ...target, version: versionOf(now), finalizers: now.metadata.finalizers ?? [] };
    await apply(action, looked, hands);
    await done();
  });

  test('a scale whose answer was lost is refused when it is repeated blindly', async () => {
    const deployment = await newDeployment(3);
    const action = { action: 'scale', resource: KIND.deployment, ...versionOf(deployment), replicas: 0 } as const;
    const hands = { cluster, learn: () => undefined };
    proxy.fault = (asked) => (isWrite(asked) ? 'lose-answer' : undefined);
    expect(await failureOf(apply(action, nobody, hands))).toMatchObject({ status: 0 });
    proxy.fault = () => undefined;
    expect(isConflict(await failureOf(apply(action, nobody, hands)))).toBe(true);
    expect((await cluster.getScale(KIND.deployment, versionOf(deployment)))?.spec.replicas ?? 0).toBe(0);
  });
});

describe('an action that finds another object', () => {
  const hands = { learned: [] as KubeObject[], learn: (object: KubeObject) => void hands.learned.push(object) };
  const act = (action: Exclude<Action, { action: 'event' }>) => apply(action, nobody, { cluster, learn: hands.learn });

  test('does not adopt a Job of another owner, or of none', async () => {
    const [taken, bare] = [fresh('job'), fresh('job')];
    await cluster.create(newJob(taken, 'somebody'));
    const { labels: _, ...metadata } = newJob(bare).metadata;
    await cluster.create({ ...newJob(bare), metadata });
    for (const name of [taken, bare]) {
      expect(await failureOf(act({ action: 'createJob', job: newJob(name) }))).toMatchObject({
        reason: 'AdoptionRefused',
        outlook: 'final',
      });
    }
  });

  test('does not take a lock that another holds', async () => {
    const name = fresh('lease');
    await cluster.create(newLease(name, 'somebody'));
    expect(await failureOf(act({ action: 'createLease', lease: newLease(name) }))).toMatchObject({
      reason: 'LockHeld',
      outlook: 'retry',
    });
  });

  test('leaves alone what has the name now', async () => {
    const old = await cluster.create<Job>(newJob(fresh('job')));
    await cluster.delete(KIND.job, versionOf(old));
    const successor = await cluster.create<Job>(newJob(old.metadata.name));
    await act({ action: 'deleteJob', ...versionOf(old) });
    expect((await cluster.get(KIND.job, versionOf(old)))?.metadata.uid).toBe(successor.metadata.uid);
  });

  test('does not delete its own Lease once somebody has changed it', async () => {
    const lease = await cluster.create<Lease>(newLease(fresh('lease')));
    await cluster.updateLease(lease, { holderIdentity: 'somebody' });
    expect(isConflict(await failureOf(act({ action: 'deleteLease', ...versionOf(lease) })))).toBe(true);
    expect(await cluster.get(KIND.lease, versionOf(lease))).toBeDefined();
  });

  test('teaches the local copy what it made or found', async () => {
    hands.learned.length = 0;
    const job = newJob(fresh('job'));
    await act({ action: 'createJob', job });
    await act({ action: 'createJob', job });
    expect(hands.learned.map(({ metadata }) => metadata.name)).toEqual([job.metadata.name, job.metadata.name]);
  });
});
