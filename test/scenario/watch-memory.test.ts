/** What a watch of many objects costs, and that it costs no more the longer it lasts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Job } from '../../src/api/kubernetes.ts';
import { LABELS } from '../../src/api/names.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import { Http } from '../../src/kube/http.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { objectPath } from '../../src/kube/paths.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { waitFor } from '../cluster/wait.ts';
import { type ApiProxy, startApiProxy } from '../support/api-proxy.ts';

const JOBS = 2_000;
const MIB = 1024 * 1024;
const WATCHER = fileURLToPath(new URL('../support/kube-watch-process.ts', import.meta.url));

interface Memory {
  readonly changes: number;
  readonly objects: number;
  readonly rss: number;
  readonly heapUsed: number;
}

let server: ApiServer;
let proxy: ApiProxy;
let watcher: ChildProcess;
let answers: Interface;

beforeAll(async () => {
  server = await upApiServer();
  proxy = await startApiProxy(server.kubeconfig);
  watcher = spawn(process.execPath, ['--expose-gc', WATCHER, proxy.url, LABELS.owner], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  answers = createInterface({ input: watcher.stdout as NodeJS.ReadableStream });
}, 120_000);

afterAll(async () => {
  watcher?.kill('SIGKILL');
  await proxy?.stop();
  await server?.stop();
});

async function memory(): Promise<Memory> {
  const answer = once(answers, 'line');
  watcher.stdin?.write('\n');
  return JSON.parse((await answer)[0] as string) as Memory;
}

async function settledAt(changes: number): Promise<Memory> {
  let now = await memory();
  await waitFor(
    async () => {
      now = await memory();
      return now.changes >= changes;
    },
    { timeoutMs: 60_000, everyMs: 200, otherwise: () => `${now.changes} of ${changes} changes were told` },
  );
  return now;
}

/** Twenty at a time: as fast as the API server goes on a small machine. */
async function forEachJob(work: (name: string) => Promise<unknown>): Promise<void> {
  const names = Array.from({ length: JOBS }, (_, i) => `job-${i}`);
  const lanes = Array.from({ length: 20 }, async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) await work(name);
  });
  await Promise.all(lanes);
}

test(`${JOBS} Jobs are watched in little memory, which does not grow with their changes`, async () => {
  const http = new Http(proxy.credentials);
  const cluster = new KubeCluster(http);
  const empty = await memory();
  const pod = { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x', args: ['x'.repeat(2_000)] }] };
  await forEachJob((name) =>
    cluster.create<Job>({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name, namespace: 'default', labels: { [LABELS.owner]: name } },
      ...{ spec: { template: { spec: pod } } },
    }),
  );
  const full = await settledAt(JOBS);
  expect(full.objects).toBe(JOBS);
  const rounds: Memory[] = [];
  for (let round = 1; round <= 3; round += 1) {
    await forEachJob((name) =>
      http.json({
        method: 'PATCH',
        path: objectPath(KIND.job, { namespace: 'default', name }),
        contentType: 'application/merge-patch+json',
        body: { metadata: { annotations: { round: String(round) } } },
      }),
    );
    rounds.push(await settledAt(JOBS * (1 + round)));
  }
  const last = rounds[2] as Memory;
  console.log(
    [empty, full, ...rounds]
      .map(({ rss, heapUsed }) => `${(rss / MIB).toFixed(0)}/${(heapUsed / MIB).toFixed(1)}`)
      .join(' → '),
    'MiB resident/heap: empty, full, after each round',
  );
  // About 5 KiB of JSON each.
  expect(full.heapUsed - empty.heapUsed).toBeLessThan(40 * MIB);
  expect(last.heapUsed - full.heapUsed).toBeLessThan(4 * MIB);
  expect(last.rss).toBeLessThan(200 * MIB);
}, 300_000);
