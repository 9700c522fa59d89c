/** Backups that want one database, on a real API server: who came first goes first. */
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import type { Job } from '../../src/api/kubernetes.ts';
import { backupController } from '../../src/controllers/backup/observe.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import { Http } from '../../src/kube/http.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { waitFor } from '../cluster/wait.ts';
import { type ApiProxy, startApiProxy } from '../support/api-proxy.ts';
import { aBackup, aKey, aStore, BACKED_UP } from '../support/builders.ts';
import { createReady, installKinds, kubectl } from '../support/kube-crds.ts';
import { playJob } from '../support/kube-kubelet.ts';
import { type TestOperator, testOperator } from '../support/kube-operator.ts';

jest.setTimeout(60_000);

let server: ApiServer;
let proxy: ApiProxy;
let http: Http;
let operator: TestOperator | undefined;

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  proxy = await startApiProxy(server.kubeconfig);
  http = new Http(proxy.credentials);
}, 120_000);

afterEach(() => operator?.stop());

afterAll(async () => {
  http?.close();
  await proxy?.stop();
  await server?.stop();
});

test('four that waited for one database follow one another in the order in which they were made', async () => {
  await createReady(server.kubeconfig, aStore(), 'default');
  await createReady(server.kubeconfig, aKey(), 'default');
  const { apiVersion, kind, spec } = aBackup();
  // Neither by name nor by the order of a list; the API server's times are whole seconds, so the last two are of one.
  for (const names of [['m'], ['z'], ['b', 'a']]) {
    for (const name of names) {
      const backup = JSON.stringify({ apiVersion, kind, metadata: { name, namespace: 'default' }, spec });
      await kubectl(server.kubeconfig, ['create', '-f', '-'], backup);
    }
    await new Promise((resolve) => setTimeout(resolve, 1_100));
  }
  operator = testOperator(proxy, [backupController as AnyController]);
  await operator.start();
  const people = new KubeCluster(http);
  const open = async () =>
    (await people.list<Job>(KIND.job, { namespace: 'default' })).filter(
      ({ status }) => status?.conditions === undefined,
    );
  const order: string[] = [];
  for (let turn = 1; turn <= 4; turn += 1) {
    await waitFor(async () => (await open()).length > 0, { timeoutMs: 20_000, otherwise: () => `no Job ${turn}` });
    const [job, ...others] = await open();
    expect(others).toEqual([]);
    order.push(job?.metadata.ownerReferences?.[0]?.name ?? '');
    await playJob(server.kubeconfig, job as Job, BACKED_UP);
  }
  const made = (await people.list(KIND.backup, { namespace: 'default' })).map(({ metadata }) => metadata);
  const expected = made.toSorted((a, b) =>
    `${a.creationTimestamp} ${a.name}` < `${b.creationTimestamp} ${b.name}` ? -1 : 1,
  );
  expect(order).toEqual(expected.map(({ name }) => name));
  expect(order.slice(0, 2)).toEqual(['m', 'z']);
});
