/** The one loop, with small controllers of the test's own, on a real API server: what it writes, when, and what it never does. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { BackupKey, BackupKeyStatus } from '../../src/api/backup-key.ts';
import type { Condition } from '../../src/api/conditions.ts';
import type { Job, NewJob } from '../../src/api/kubernetes.ts';
import { LABELS } from '../../src/api/names.ts';
import type { Decision } from '../../src/controllers/action.ts';
import type { AnyController, Controller, World } from '../../src/controllers/controller.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import { Http } from '../../src/kube/http.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { type ApiProxy, isWatch, isWrite, startApiProxy } from '../support/api-proxy.ts';
import { installKinds, kubectl } from '../support/kube-crds.ts';
import { type TestOperator, testOperator } from '../support/kube-operator.ts';
import { until } from '../support/kube-until.ts';

let server: ApiServer;
let proxy: ApiProxy;
let direct: ApiProxy;
let people: KubeCluster;
let operator: TestOperator | undefined;
let count = 0;

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  proxy = await startApiProxy(server.kubeconfig);
  direct = await startApiProxy(server.kubeconfig);
  people = new KubeCluster(new Http(direct.credentials));
}, 120_000);

afterAll(async () => {
  await proxy?.stop();
  await direct?.stop();
  await server?.stop();
});

afterEach(async () => {
  proxy.fault = () => undefined;
  await operator?.stop();
  operator = undefined;
  await kubectl(server.kubeconfig, ['delete', 'backupkeys,jobs', '--all', '-n', 'default', '--wait=false']);
});

type Decide = (key: BackupKey, jobs: readonly Job[]) => Decision<BackupKeyStatus>;

/** A controller of BackupKeys that decides as told; its facts are the key and its Jobs. */
function controllerOf(
  decide: Decide,
): Controller<BackupKey, { key: BackupKey; jobs: readonly Job[] }, BackupKeyStatus> {
  return {
    kind: KIND.backupKey,
    observe: async ({ stores }: World, key: BackupKey) => ({ key, jobs: stores.jobs.ownedBy(key.metadata.uid) }),
    decide: ({ key, jobs }) => decide(key, jobs),
  };
}

async function begin(decide: Decide): Promise<TestOperator> {
  operator = testOperator(proxy, [controllerOf(decide) as AnyController]);
  await operator.start();
  return operator;
}

const RECIPIENT = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';

async function newKey(): Promise<BackupKey> {
  count += 1;
  return people.create<BackupKey>({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'BackupKey',
    metadata: { name: `key-${count}`, namespace: 'default' },
    ...{ spec: { recipients: [RECIPIENT] } },
  });
}

function jobFor({ metadata }: BackupKey, name = `${metadata.name}-job`): NewJob {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'default', labels: { [LABELS.owner]: metadata.uid } },
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } } },
  };
}

function condition(type: string, status: Condition['status'], reason: string): Condition {
  const lastTransitionTime = '2026-11-24T08:00:00Z';
  return { type, status, reason, message: `${reason}.`, lastTransitionTime, observedGeneration: 1 };
}

const ready = (fingerprint = 'f'): BackupKeyStatus => ({
  observedGeneration: 1,
  fingerprints: [fingerprint],
  conditions: [condition('Ready', 'True', 'Usable')],
});

/** What the operator says of it: the API server begins a status itself. */
const saidOf = (key: BackupKey | undefined) => (key?.status?.observedGeneration === -1 ? undefined : key?.status);
const statusOf = async (key: BackupKey) => saidOf(await people.get(KIND.backupKey, key.metadata as never));
const hasStatus = (key: BackupKey) =>
  until(async () => (await statusOf(key)) !== undefined, `${key.metadata.name} has no status`);
const quiet = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const writes = () => proxy.asked.filter(isWrite);

async function eventsOn(key: BackupKey): Promise<string[]> {
  const args = ['get', 'events.events.k8s.io', '--field-selector', `regarding.name=${key.metadata.name}`];
  const text = await kubectl(server.kubeconfig, [
    ...args,
    '-o',
    'jsonpath={range .items[*]}{.type} {.reason}{"\\n"}{end}',
  ]);
  return text.trim().split('\n').filter(Boolean).sort();
}

describe('in the steady state', () => {
  test('nothing is written, however often one looks', async () => {
    let looks = 0;
    const key = await newKey();
    await begin(() => {
      looks += 1;
      return { actions: [], status: ready(), requeueAfter: 50 };
    });
    await hasStatus(key);
    await quiet(500);
    const before = { writes: writes().length, looks };
    await quiet(3_000);
    expect(looks - before.looks).toBeGreaterThan(20);
    expect(writes()).toHaveLength(before.writes);
  }, 30_000);

  test('nothing is written on and on where somebody else keeps a field in the status', async () => {
    const key = await newKey();
    await begin(() => ({
      actions: [],
      status: { observedGeneration: 1, conditions: ready().conditions ?? [] },
      requeueAfter: 50,
    }));
    await hasStatus(key);
    const patch = JSON.stringify({ status: { fingerprints: ['theirs'] } });
    const args = ['patch', 'backupkey', key.metadata.name, '--subresource=status', '--type=merge', '-p', patch];
    await kubectl(server.kubeconfig, args);
    await quiet(1_000);
    const before = writes().length;
    await quiet(2_000);
    expect(writes()).toHaveLength(before);
    expect((await statusOf(key))?.fingerprints).toEqual(['theirs']);
  }, 30_000);
});

describe('a status', () => {
  test('is written once, with one event for each new reason', async () => {
    const key = await newKey();
    let fingerprint = 'first';
    await begin(() => ({ actions: [], status: ready(fingerprint), requeueAfter: 50 }));
    await hasStatus(key);
    fingerprint = 'second';
    await until(async () => (await statusOf(key))?.fingerprints?.[0] === 'second', 'the status did not change');
    expect(await eventsOn(key)).toEqual(['Normal Usable']);
    const { metadata } = (await people.get(KIND.backupKey, key.metadata as never)) as BackupKey;
    const managers = (
      metadata as unknown as { managedFields: { manager: string; operation: string; subresource?: string }[] }
    ).managedFields;
    expect(managers).toContainEqual(
      expect.objectContaining({ manager: 'holdfast', operation: 'Apply', subresource: 'status' }),
    );
  }, 30_000);

  test('that is computed from a copy that is behind overwrites nothing', async () => {
    const key = await newKey();
    // The watch of keys is frozen after the first line: the operator goes on believing that there is no status.
    proxy.fault = (asked) =>
      isWatch(asked) && asked.path.endsWith('/backupkeys') ? { line: () => 'drop' } : undefined;
    const seen: (string | undefined)[] = [];
    await begin((object) => {
      seen.push(object.metadata.resourceVersion);
      return { actions: [], status: ready(`of ${object.metadata.resourceVersion}`), requeueAfter: 100 };
    });
    await hasStatus(key);
    await people.applyStatus(
      KIND.backupKey,
      { ...(key.metadata as { namespace: string; name: string; uid: string }), resourceVersion: await versionNow(key) },
      { observedGeneration: 1, fingerprints: ['somebody else'] },
    );
    await quiet(1_500);
    expect((await statusOf(key))?.fingerprints).toEqual(['somebody else']);
  }, 30_000);
});

const versionNow = async (key: BackupKey) =>
  (await people.get(KIND.backupKey, key.metadata as never))?.metadata.resourceVersion ?? '';

describe('actions', () => {
  test('are not carried out on the word of a copy that is behind', async () => {
    const key = await newKey();
    proxy.fault = (asked) =>
      isWatch(asked) && asked.path.endsWith('/backupkeys') ? { line: () => 'drop' } : undefined;
    let mayAct = false;
    const started = await begin((object) =>
      mayAct && object.spec.default !== true
        ? { actions: [{ action: 'createJob', job: jobFor(object) }] }
        : { actions: [], requeueAfter: 50 },
    );
    const patch = JSON.stringify({ spec: { default: true } });
    await kubectl(server.kubeconfig, ['patch', 'backupkey', key.metadata.name, '--type=merge', '-p', patch]);
    mayAct = true;
    await until(async () => started.passes.some(({ error }) => error?.reason === 'Stale'), 'nobody noticed');
    await quiet(500);
    expect(await people.list(KIND.job, { namespace: 'default' })).toEqual([]);
  }, 30_000);

  test('made once although the watch has not told of them yet', async () => {
    const key = await newKey();
    proxy.fault = (asked) => (isWatch(asked) && asked.path.endsWith('/jobs') ? { line: () => 'drop' } : undefined);
    let made = 0;
    await begin((object, jobs) => {
      if (jobs.length > 0) return { actions: [], status: ready(jobs[0]?.metadata.name), requeueAfter: 50 };
      made += 1;
      return { actions: [{ action: 'createJob', job: jobFor(object) }], status: ready('none'), requeueAfter: 50 };
    });
    await until(
      async () => (await statusOf(key))?.fingerprints?.[0] === `${key.metadata.name}-job`,
      'the Job was not seen',
    );
    expect(made).toBe(1);
  }, 30_000);

  test('stop at the first that fails; the status tells of it where it will not pass by itself', async () => {
    const key = await newKey();
    proxy.fault = ({ method, path }) =>
      method === 'POST' && path.endsWith('/jobs') ? { status: 403, reason: 'Forbidden' } : undefined;
    await begin((object) => ({
      actions: [
        { action: 'createJob', job: jobFor(object, 'first') },
        { action: 'createJob', job: jobFor(object, 'second') },
      ],
      status: ready('done'),
      statusOnFailure: ({ reason }) => ({ observedGeneration: 1, conditions: [condition('Ready', 'False', reason)] }),
    }));
    await hasStatus(key);
    expect((await statusOf(key))?.conditions?.[0]).toMatchObject({ status: 'False', reason: 'Forbidden' });
    expect(await eventsOn(key)).toEqual(['Warning Forbidden']);
    const tried = writes().filter(({ path }) => path.endsWith('/jobs'));
    proxy.fault = () => undefined;
    await until(async () => (await statusOf(key))?.fingerprints?.[0] === 'done', 'it did not heal');
    expect(tried.length).toBeGreaterThan(0);
    expect((await people.list(KIND.job, { namespace: 'default' })).map(({ metadata }) => metadata.name).sort()).toEqual(
      ['first', 'second'],
    );
  }, 30_000);

  test('that meet a passing trouble leave the status alone', async () => {
    const key = await newKey();
    let refused = 0;
    proxy.fault = ({ method, path }) => {
      if (method !== 'POST' || !path.endsWith('/jobs') || refused >= 3) return undefined;
      refused += 1;
      return { status: 500, reason: 'InternalError' };
    };
    const said: string[] = [];
    await begin((object) => ({
      actions: [{ action: 'createJob', job: jobFor(object) }],
      status: ready('done'),
      statusOnFailure: ({ reason }) => {
        said.push(reason);
        return { conditions: [condition('Ready', 'False', reason)] };
      },
    }));
    await hasStatus(key);
    expect((await statusOf(key))?.fingerprints).toEqual(['done']);
    expect(said).toEqual([]);
    expect(refused).toBe(3);
  }, 30_000);

  test('after the status can remove the finalizer that held the object', async () => {
    const key = await newKey();
    const seen = { ...(key.metadata as { namespace: string; name: string; uid: string; resourceVersion: string }) };
    await people.setFinalizers(KIND.backupKey, seen, ['holdfast.dev/test']);
    await people.delete(KIND.backupKey, seen);
    const started = await begin(({ metadata }) =>
      metadata.deletionTimestamp === undefined
        ? { actions: [] }
        : {
            actions: [],
            status: ready('last words'),
            afterStatus: [{ action: 'removeFinalizer', finalizer: 'holdfast.dev/test' }],
          },
    );
    await until(async () => (await people.get(KIND.backupKey, seen)) === undefined, 'it is still there');
    await quiet(300);
    expect(started.watches.stores.backupKeys.get('default', key.metadata.name)).toBeUndefined();
  }, 30_000);
});

describe('a poison object', () => {
  test.each(['observe', 'decide'] as const)(
    'whose %s throws holds up none of a hundred others',
    async (where) => {
      const keys: BackupKey[] = [];
      for (let i = 0; i < 10; i += 1) keys.push(...(await Promise.all(Array.from({ length: 10 }, newKey))));
      const poison = keys[3] as BackupKey;
      const failIf = (key: BackupKey) => {
        if (key.metadata.uid === poison.metadata.uid) throw new TypeError('poison');
      };
      const plain = controllerOf((key) => {
        if (where === 'decide') failIf(key);
        return { actions: [], status: ready() };
      });
      const controller: typeof plain = {
        ...plain,
        observe: async (world, key) => {
          if (where === 'observe') failIf(key);
          return plain.observe(world, key);
        },
      };
      operator = testOperator(proxy, [controller as AnyController]);
      await operator.start();
      const stores = operator.watches.stores;
      await until(
        async () => stores.backupKeys.list().filter((each) => saidOf(each) !== undefined).length >= keys.length - 1,
        'some wait for the poison',
      );
      expect(await statusOf(poison)).toBeUndefined();
      await quiet(1_000);
      const failed = operator.passes.filter(({ error }) => error !== undefined);
      expect(failed.every(({ key }) => key === `default/${poison.metadata.name}`)).toBe(true);
      expect(failed.length).toBeGreaterThan(1);
      expect(failed.length).toBeLessThan(12);
      expect(operator.bugs).toEqual([]);
    },
    60_000,
  );
});

describe('trouble of the API server', () => {
  test.each([
    ['500s', { status: 500 }],
    ['429s that ask for a second', { status: 429, retryAfter: 1 }],
    ['resets', 'refuse'],
    ['lost answers', 'lose-answer'],
  ] as const)(
    '%s on every write for a while, and then all is done once',
    async (_name, fault) => {
      const key = await newKey();
      const until3s = performance.now() + 3_000;
      proxy.fault = (asked) => (isWrite(asked) && performance.now() < until3s ? fault : undefined);
      const before = writes().length;
      await begin((object) => ({ actions: [{ action: 'createJob', job: jobFor(object) }], status: ready() }));
      await hasStatus(key);
      expect(await people.list(KIND.job, { namespace: 'default' })).toHaveLength(1);
      // Three seconds with a back-off of 50 to 500 ms: no hot loop.
      expect(writes().length - before).toBeLessThan(60);
    },
    30_000,
  );
});

describe('what is looked at again', () => {
  test('the owner, when its Job changes or goes', async () => {
    const key = await newKey();
    await begin((object, jobs) => ({
      actions: jobs.length === 0 && saidOf(object) === undefined ? [{ action: 'createJob', job: jobFor(object) }] : [],
      status: ready(`${jobs.length} Jobs`),
    }));
    await until(async () => (await statusOf(key))?.fingerprints?.[0] === '1 Jobs', 'the Job was not seen');
    const [job] = await people.list(KIND.job, { namespace: 'default' });
    await people.delete(KIND.job, job?.metadata as never);
    await until(async () => (await statusOf(key))?.fingerprints?.[0] === '0 Jobs', 'its end was not seen');
  }, 30_000);

  test('an object that did not ask for it is looked at when its time has come', async () => {
    await newKey();
    const looks: number[] = [];
    await begin(() => {
      looks.push(performance.now());
      return looks.length === 1 ? { actions: [], requeueAfter: 700 } : { actions: [] };
    });
    await quiet(1_500);
    expect(looks).toHaveLength(2);
    expect((looks[1] as number) - (looks[0] as number)).toBeGreaterThanOrEqual(690);
  }, 30_000);
});
