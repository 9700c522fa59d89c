/** Operator processes as they are shipped, two at once, on a real API server: who leads, who ends, and who writes. */

import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { POD_PATIENCE } from '../../src/controllers/run-facts.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { waitFor } from '../cluster/wait.ts';
import { type ApiProxy, type Asked, isList, isWrite, startApiProxy } from '../support/api-proxy.ts';
import { installKinds, kubectl } from '../support/kube-crds.ts';
import { OperatorProcess } from '../support/kube-process.ts';

let server: ApiServer;
const proxies: ApiProxy[] = [];
const processes: OperatorProcess[] = [];
let count = 0;

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
}, 120_000);

afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.kill()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  await kubectl(server.kubeconfig, [
    'delete',
    'lease',
    'holdfast-leader',
    '-n',
    'holdfast-system',
    '--ignore-not-found',
  ]);
  await kubectl(server.kubeconfig, ['delete', 'backups,backupkeys,backupstores', '--all', '-n', 'default']);
});

afterAll(() => server?.stop());

interface Replica {
  readonly process: OperatorProcess;
  readonly proxy: ApiProxy;
  /** Everything that it wrote but the Lease of the leader. */
  writes(): Asked[];
}

async function replica(environment: Readonly<Record<string, string>> = {}): Promise<Replica> {
  count += 1;
  const proxy = await startApiProxy(server.kubeconfig);
  proxies.push(proxy);
  const kubeconfig = join(server.dir, `replica-${count}`);
  await proxy.writeKubeconfig(kubeconfig);
  const process = OperatorProcess.behind(kubeconfig, environment);
  processes.push(process);
  await process.says('started');
  return { process, proxy, writes: () => proxy.asked.filter((asked) => isWrite(asked) && !isLeaderLease(asked)) };
}

const isLeaderLease = ({ path }: Asked) => path.includes('/leases') && path.includes('/holdfast-system/');

async function leaderAndFollower(): Promise<readonly [Replica, Replica]> {
  const first = await replica();
  await first.process.says('leads');
  const second = await replica();
  await second.process.until(async () => (await second.process.get('/readyz')).status === 200, 'it is not ready');
  return [first, second];
}

const RECIPIENT = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';

async function newKey(): Promise<string> {
  count += 1;
  const name = `key-${count}`;
  const spec = { recipients: [RECIPIENT] };
  const key = {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'BackupKey',
    metadata: { name, namespace: 'default' },
    spec,
  };
  await kubectl(server.kubeconfig, ['create', '-f', '-'], JSON.stringify(key));
  return name;
}

async function answered(name: string, within = 10_000): Promise<void> {
  const args = ['get', 'backupkey', name, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'];
  await waitFor(async () => (await kubectl(server.kubeconfig, args)) !== '', {
    timeoutMs: within,
    everyMs: 100,
    otherwise: () => `${name} was not looked at`,
  });
}

const quiet = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('two replicas', () => {
  test('one leads and writes; it is killed, and the other leads within 30 s', async () => {
    const [first, second] = await leaderAndFollower();
    await answered(await newKey());
    expect(first.writes().length).toBeGreaterThan(0);
    expect(second.writes()).toEqual([]);
    const killed = performance.now();
    first.process.signal('SIGKILL');
    const late = await newKey();
    await second.process.says('leads', 30_000);
    expect(performance.now() - killed).toBeLessThan(30_000);
    await answered(late, 5_000);
  }, 90_000);

  test('one that ends on request gives its Lease up: the other leads before the Lease would have ended', async () => {
    const [first, second] = await leaderAndFollower();
    const asked = performance.now();
    first.process.signal('SIGTERM');
    await second.process.says('leads', 10_000);
    expect(performance.now() - asked).toBeLessThan(10_000);
    await first.process.ends();
    expect(first.process.exit).toEqual({ code: 0, signal: null });
    expect(first.process.said('stopped')).toBe(true);
  }, 60_000);

  test('a leader that was stopped for twice its lease ends before anything else and writes nothing more', async () => {
    const [first, second] = await leaderAndFollower();
    first.process.signal('SIGSTOP');
    const meanwhile = await Promise.all(Array.from({ length: 20 }, newKey));
    await second.process.says('leads', 25_000);
    await quiet(10_000);
    const before = first.proxy.asked.filter(isWrite).length;
    first.process.signal('SIGCONT');
    await first.process.ends(5_000);
    await quiet(500);
    expect(first.process.exit).toEqual({ code: 1, signal: null });
    expect(first.writes()).toEqual([]);
    // Not even its own Lease.
    expect(first.proxy.asked.filter(isWrite)).toHaveLength(before);
    for (const name of meanwhile) await answered(name);
  }, 90_000);

  test('a leader whose Lease another took ends and writes nothing more', async () => {
    const [first, second] = await leaderAndFollower();
    const patch = JSON.stringify({ spec: { holderIdentity: 'somebody' } });
    const lease = ['lease', 'holdfast-leader', '-n', 'holdfast-system'];
    await kubectl(server.kubeconfig, ['patch', ...lease, '--type=merge', '-p', patch]);
    await first.process.ends(5_000);
    expect(first.process.exit).toEqual({ code: 1, signal: null });
    await second.process.says('leads', 25_000);
  }, 90_000);

  test('a leader that is cut off from the API server ends before its lease does', async () => {
    const [first, second] = await leaderAndFollower();
    first.proxy.fault = () => 'hang';
    const cut = performance.now();
    await first.process.ends(14_900);
    const ended = performance.now() - cut;
    expect(second.process.said('leads')).toBe(false);
    await second.process.says('leads', 30_000);
    expect(ended).toBeLessThan(15_000);
  }, 90_000);
});

describe('one replica', () => {
  test('in the steady state writes nothing but its Lease, and lists nothing anew', async () => {
    const { process, proxy, writes } = await replica();
    await process.says('leads');
    await answered(await newKey());
    const s3 = {
      endpoint: 'http://nowhere:1',
      region: 'r',
      bucket: 'bucket',
      credentials: { secretRef: { name: 'c' } },
    };
    const source = { postgresql: { host: 'h', database: 'd', credentials: { secretRef: { name: 'c' } } } };
    for (const [kind, spec] of [
      ['BackupStore', { s3 }],
      ['Backup', { source, storeRef: { name: 'x' } }],
      ['Restore', { from: { backupRef: { name: 'x' } } }],
    ] as const) {
      const object = { apiVersion: 'holdfast.dev/v1alpha1', kind, metadata: { name: 'x', namespace: 'default' }, spec };
      await kubectl(server.kubeconfig, ['create', '-f', '-'], JSON.stringify(object));
    }
    await waitFor(async () => writes().some(({ path }) => path.includes('/restores/x/status')), {
      timeoutMs: 10_000,
      otherwise: () => 'the Restore was not looked at',
    });
    // Nobody here makes the pod of the store's probe; once that is said, all is said.
    await quiet(POD_PATIENCE + 3_000);
    const before = { writes: writes().length, lists: proxy.asked.filter(isList).length };
    await quiet(20_000);
    expect(
      writes()
        .slice(before.writes)
        .map(({ method, path }) => `${method} ${path}`),
    ).toEqual([]);
    // A wait may look at a Job by a list of its own; the watches do not begin anew.
    const lists = proxy.asked.filter(isList).slice(before.lists);
    expect(lists.filter(({ path }) => !path.includes('/namespaces/'))).toEqual([]);
    expect(process.log.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  }, 90_000);

  test('tells of its health, its readiness and its numbers', async () => {
    const { process } = await replica();
    await process.says('leads');
    await answered(await newKey());
    expect(await process.get('/healthz')).toEqual({ status: 200, text: 'ok\n' });
    expect(await process.get('/readyz')).toEqual({ status: 200, text: 'ok\n' });
    const { text } = await process.get('/metrics');
    expect(text).toContain('holdfast_leader 1');
    expect(text).toMatch(/holdfast_reconcile_duration_seconds_count\{kind="BackupKey"\} [1-9]/);
    expect((await process.get('/secrets')).status).toBe(404);
  }, 60_000);

  test('waits for an API server that does not answer yet, alive but not ready', async () => {
    count += 1;
    const proxy = await startApiProxy(server.kubeconfig);
    proxies.push(proxy);
    proxy.fault = () => 'refuse';
    const kubeconfig = join(server.dir, `replica-${count}`);
    await proxy.writeKubeconfig(kubeconfig);
    const process = OperatorProcess.behind(kubeconfig);
    processes.push(process);
    await process.says('started');
    await quiet(3_000);
    expect([(await process.get('/healthz')).status, (await process.get('/readyz')).status]).toEqual([200, 503]);
    proxy.fault = () => undefined;
    await process.says('leads');
    await process.until(async () => (await process.get('/readyz')).status === 200, 'it did not become ready');
  }, 60_000);

  test('ends with code 1 and says everything that is wrong with its environment', async () => {
    const process = new OperatorProcess({ HOLDFAST_PORT: 'http', HOLDFAST_LOG_LEVEL: 'loud' });
    processes.push(process);
    await process.ends();
    expect(process.exit?.code).toBe(1);
    const [{ msg } = { msg: '' }] = process.log;
    for (const name of ['CLUSTER_NAME', 'NAMESPACE', 'RUNNER_IMAGE', 'PORT', 'LOG_LEVEL']) {
      expect(msg).toContain(`HOLDFAST_${name}`);
    }
  }, 30_000);
});
