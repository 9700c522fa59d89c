/** An operator of some namespaces on a real API server, with the rights of the chart's Roles and no other. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import type { BackupStore } from '../../src/api/backup-store.ts';
import type { Job } from '../../src/api/kubernetes.ts';
import type { Report } from '../../src/api/task.ts';
import { CONTROLLERS } from '../../src/controllers/all.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import { Http } from '../../src/kube/http.ts';
import { KIND, type KindRef } from '../../src/kube/kinds.ts';
import { now } from '../../src/platform/clock.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { writeKubeconfig } from '../cluster/kubeconfig.ts';
import { issue } from '../cluster/pki.ts';
import { type ApiProxy, type Asked, isList, isWatch, isWrite, startApiProxy } from '../support/api-proxy.ts';
import { aBackup, aKey, aStore, BACKED_UP } from '../support/builders.ts';
import { installKinds, kubectl } from '../support/kube-crds.ts';
import { playJob } from '../support/kube-kubelet.ts';
import { deleteNamespace, newNamespace, OPERATOR, rolesOf } from '../support/kube-namespaces.ts';
import { type TestOperator, testOperator } from '../support/kube-operator.ts';
import { OperatorProcess } from '../support/kube-process.ts';
import { until } from '../support/kube-until.ts';

jest.setTimeout(60_000);

let server: ApiServer;
let proxy: ApiProxy;
let direct: ApiProxy;
let people: KubeCluster;
let roles: ReadonlyMap<string, string>;
let operator: TestOperator | undefined;
let count = 0;
/** Names of this test's own: what an API server was once told of a namespace, it does not forget at once. */
let shop = '';
let billing = '';

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

beforeEach(async () => {
  count += 1;
  shop = `shop-${count}`;
  billing = `billing-${count}`;
  roles = await rolesOf([shop, billing]);
  await kubectl(server.kubeconfig, ['apply', '-f', '-'], roles.get('holdfast-system'));
  await newNamespace(server.kubeconfig, billing, roles.get(billing));
  proxy.asked.splice(0);
});

afterEach(async () => {
  proxy.fault = () => undefined;
  await operator?.stop();
  operator = undefined;
});

async function begin(): Promise<TestOperator> {
  operator = testOperator(proxy, CONTROLLERS, now, { namespaces: [shop, billing], user: OPERATOR });
  await operator.start();
  return operator;
}

async function make({ apiVersion, kind, metadata, spec }: BackupStore | Backup | ReturnType<typeof aKey>, at: string) {
  const object = { apiVersion, kind, metadata: { name: metadata.name, namespace: at }, spec };
  await kubectl(server.kubeconfig, ['create', '-f', '-'], JSON.stringify(object));
}

/** Each namespace has a database of its own. */
function backupOf(at: string): Backup {
  const backup = aBackup();
  const { postgresql } = backup.spec.source;
  return { ...backup, spec: { ...backup.spec, source: { postgresql: { ...postgresql, database: at } } } };
}

const settle = (milliseconds = 1_000) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const jobsIn = (namespace: string) => people.list<Job>(KIND.job, { namespace });
const refusedCalls = () =>
  proxy.asked.filter(({ status }) => status === 403).map(({ method, path }) => `${method} ${path}`);
const inNamespace = (namespace: string) => (asked: Asked) => asked.path.includes(`/namespaces/${namespace}/`);

interface LooseStatus {
  readonly phase?: string;
  readonly observedGeneration?: number;
}

async function statusOf(kind: KindRef, at: string, name: string) {
  return ((await people.get(kind, { namespace: at, name })) as { status?: LooseStatus } | undefined)?.status;
}

/** As the API server makes it: nobody has looked yet. */
const UNTOUCHED = { observedGeneration: -1 };

const PROBED: Report = { command: 'probe', ok: true, result: { conditionalWrites: true } } as Report;

/** The next Job of the namespace that has no end yet ends with this report. */
async function play(namespace: string, report: Report): Promise<void> {
  const open = async () => (await jobsIn(namespace)).find(({ status }) => status?.conditions === undefined);
  await until(async () => (await open()) !== undefined, `no Job in ${namespace}`);
  await playJob(server.kubeconfig, (await open())!, report);
}

/** Store, key and Backup, from the first look to Complete. */
async function backUp(namespace: string): Promise<void> {
  const backup = backupOf(namespace);
  await make(aStore(), namespace);
  await make(aKey(), namespace);
  await make(backup, namespace);
  await play(namespace, PROBED);
  await play(namespace, BACKED_UP);
  const complete = async () => (await statusOf(KIND.backup, namespace, backup.metadata.name))?.phase === 'Complete';
  await until(complete, `no Complete backup in ${namespace}`);
}

describe('with a Role in each of its namespaces', () => {
  test('it works there, is refused nothing, and asks for nothing outside of them', async () => {
    await newNamespace(server.kubeconfig, shop, roles.get(shop));
    await begin();
    await backUp(shop);
    await backUp(billing);
    expect(refusedCalls()).toEqual([]);
    const places = new Set(proxy.asked.map(({ path }) => /\/namespaces\/([^/]+)\//.exec(path)?.[1]));
    expect(places).toEqual(new Set([shop, billing, 'holdfast-system']));
    expect(operator?.bugs).toEqual([]);
  });

  test('an object of another namespace is left alone: no status, no Job, no event', async () => {
    const elsewhere = `elsewhere-${count}`;
    await newNamespace(server.kubeconfig, shop, roles.get(shop));
    await newNamespace(server.kubeconfig, elsewhere);
    await begin();
    await make(aStore(), elsewhere);
    await make(backupOf(elsewhere), elsewhere);
    await backUp(shop);
    expect(await statusOf(KIND.backupStore, elsewhere, aStore().metadata.name)).toEqual(UNTOUCHED);
    expect(await statusOf(KIND.backup, elsewhere, aBackup().metadata.name)).toEqual(UNTOUCHED);
    expect(await jobsIn(elsewhere)).toEqual([]);
    expect(await kubectl(server.kubeconfig, ['get', 'events', '-n', elsewhere, '-o', 'name'])).toBe('');
  });

  test('in the steady state it writes nothing, asks for nothing, and no watch grows old', async () => {
    await newNamespace(server.kubeconfig, shop, roles.get(shop));
    const { watches } = await begin();
    await backUp(shop);
    await settle();
    const before = proxy.asked.length;
    await settle(3_000);
    expect(proxy.asked.slice(before).filter(isWrite)).toEqual([]);
    expect(proxy.asked.slice(before).filter((asked) => isList(asked) || isWatch(asked))).toEqual([]);
    expect(proxy.asked.filter(isWatch).filter(({ open }) => open)).toHaveLength(8 * 2 + 1);
    expect(watches.idleFor()).toBeLessThan(60_000);
  });

  test('a new list of one namespace leaves what is known of the other as it is', async () => {
    await newNamespace(server.kubeconfig, shop, roles.get(shop));
    await make(aKey(), shop);
    await make(aKey(), billing);
    const { watches } = await begin();
    const names = () =>
      watches.stores.backupKeys
        .list()
        .map(({ metadata }) => metadata.namespace)
        .sort();
    expect(names()).toEqual([billing, shop]);
    let isDone = false;
    proxy.fault = (asked) => {
      if (isDone || !isWatch(asked) || !asked.path.endsWith(`/${shop}/backupkeys`)) return undefined;
      isDone = true;
      return { status: 410, reason: 'Expired' };
    };
    const lists = proxy.asked.filter(isList).length;
    proxy.cutAll();
    await until(async () => isDone && proxy.asked.filter(isList).length > lists, 'nothing was listed anew');
    await kubectl(server.kubeconfig, ['delete', 'backupkey', '--all', '-n', shop]);
    await until(async () => names().length === 1, 'the end of a key was not noticed');
    expect(names()).toEqual([billing]);
    const listed = proxy.asked.filter(isList).slice(lists);
    expect(listed.map(({ path }) => path)).toEqual([`/apis/holdfast.dev/v1alpha1/namespaces/${shop}/backupkeys`]);
  });
});

describe('a namespace that is not there yet', () => {
  test('holds nobody up: the others are served, it is said once, and it is served when it comes', async () => {
    const { watches, refusals, served } = await begin();
    expect(watches.refused()).toEqual([shop]);
    expect(watches.synced()).toBe(true);
    await backUp(billing);
    expect(refusals).toHaveLength(1);
    expect(refusals[0]).toMatchObject({ namespace: shop, lost: [], reason: expect.stringContaining('is forbidden') });
    await newNamespace(server.kubeconfig, shop);
    await settle();
    expect(served).toEqual([]);
    await kubectl(server.kubeconfig, ['apply', '-f', '-'], roles.get(shop));
    await backUp(shop);
    expect(served).toEqual([shop]);
    expect(watches.refused()).toEqual([]);
  });

  test('is asked for by one watch alone, with ever longer pauses', async () => {
    await begin();
    await settle(500);
    const before = proxy.asked.length;
    await settle(2_000);
    const asked = proxy.asked.slice(before).filter(inNamespace(shop));
    expect(new Set(asked.map(({ path }) => path)).size).toBe(1);
    // The longest pause of this test's operator is 200 ms, between a half and the whole of it.
    expect(asked.length).toBeLessThan(30);
  });
});

describe('a namespace that is deleted while it is watched', () => {
  test('is forgotten, and so are its objects; made anew, it is served as before', async () => {
    await newNamespace(server.kubeconfig, shop, roles.get(shop));
    const { watches, refusals, served, bugs } = await begin();
    await backUp(shop);
    await deleteNamespace(server.kubeconfig, shop);
    // The watches end some time, as they all do; only then does the API server look at the rights again.
    proxy.cutAll();
    await until(async () => refusals.length > 0, 'nobody says that it is refused');
    expect(watches.refused()).toEqual([shop]);
    expect(watches.stores.backups.list(shop)).toEqual([]);
    expect(watches.stores.jobs.list(shop)).toEqual([]);
    await backUp(billing);
    await newNamespace(server.kubeconfig, shop, roles.get(shop));
    await backUp(shop);
    expect(served).toEqual([shop]);
    expect(refusals).toHaveLength(1);
    expect(bugs).toEqual([]);
  });
});

describe('a namespace whose Role lacks a right', () => {
  test('is not looked at in part: a Backup without its pods would be taken for a lost one', async () => {
    await newNamespace(server.kubeconfig, shop, roles.get(shop)?.replace(/\[ *pods *\]/, '[podtemplates]'));
    await make(aKey(), shop);
    const { watches, refusals } = await begin();
    await settle();
    expect(watches.refused()).toEqual([shop]);
    expect(watches.stores.backupKeys.list(shop)).toEqual([]);
    expect(await statusOf(KIND.backupKey, shop, aKey().metadata.name)).toEqual(UNTOUCHED);
    expect(refusals.map(({ reason }) => reason).join()).toMatch(/pods is forbidden/);
    await kubectl(server.kubeconfig, ['apply', '-f', '-'], roles.get(shop));
    await until(
      async () => (await statusOf(KIND.backupKey, shop, aKey().metadata.name))?.observedGeneration === 1,
      'it is not looked at once the right is there',
    );
  });

  test('that loses its Role is told as lost with all that was in it, and comes back with it', async () => {
    await newNamespace(server.kubeconfig, shop, roles.get(shop));
    await make(aKey(), shop);
    const { watches, refusals, served } = await begin();
    await kubectl(server.kubeconfig, ['delete', 'rolebindings', '--all', '-n', shop]);
    await settle(500);
    expect(watches.stores.backupKeys.list(shop)).toHaveLength(1);
    proxy.cutAll();
    await until(async () => watches.refused().length > 0, 'the refusal is not noticed');
    expect(refusals[0]?.lost.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      `BackupKey ${aKey().metadata.name}`,
    ]);
    expect(watches.stores.backupKeys.list(shop)).toEqual([]);
    await watches.refresh();
    await kubectl(server.kubeconfig, ['apply', '-f', '-'], roles.get(shop));
    await until(async () => watches.stores.backupKeys.list(shop).length === 1, 'it does not come back');
    expect(served).toEqual([shop]);
  });
});

describe('the operator as a process of its own', () => {
  let running: OperatorProcess | undefined;

  afterEach(() => running?.kill());

  /** The account with a certificate of its own, straight to the API server: nothing but the process's own connections. */
  async function kubeconfigOf(account: string): Promise<string> {
    const pki = join(server.dir, 'pki');
    const file = join(server.dir, 'operator.kubeconfig');
    await issue(pki, { file: 'operator', commonName: account });
    await writeKubeconfig(file, pki, 'operator', { name: 'holdfast', server: server.url });
    return file;
  }

  test('works in ten of eleven namespaces, with more watches than it may have calls, and says which one is missing', async () => {
    const namespaces = Array.from({ length: 10 }, (_, index) => `process-${index}`);
    const all = [...namespaces, 'process-missing'];
    const rights = await rolesOf(all);
    for (const namespace of namespaces) await newNamespace(server.kubeconfig, namespace, rights.get(namespace));
    running = OperatorProcess.behind(await kubeconfigOf(OPERATOR), { HOLDFAST_WATCH_NAMESPACES: all.join(',') });
    await running.says('goes on without a namespace', 40_000);
    expect(running.log.find(({ msg }) => msg === 'goes on without a namespace')).toMatchObject({
      namespace: 'process-missing',
      hint: expect.stringContaining('kubectl get namespace process-missing'),
    });
    await running.says('leads');
    for (const namespace of namespaces) await make(aKey(), namespace);
    const looked = async (namespace: string) =>
      (await statusOf(KIND.backupKey, namespace, aKey().metadata.name))?.observedGeneration === 1;
    for (const namespace of namespaces) await until(() => looked(namespace), `nobody looks at ${namespace}`);
    const ready = await running.get('/readyz');
    expect(ready).toEqual({ status: 200, text: 'ok; the API server does not let us look at process-missing\n' });
    const { text } = await running.get('/metrics');
    expect(text).toContain('holdfast_namespace_watched{namespace="process-0"} 1');
    expect(text).toContain('holdfast_namespace_watched{namespace="process-missing"} 0');
    const warnings = running.log.filter(({ level }) => level === 'warn' || level === 'error');
    expect(warnings.every(({ namespace }) => namespace === 'process-missing')).toBe(true);
  });
});
