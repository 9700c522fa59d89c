/** What a runner says of its progress, through an API server of the test's own: a real one without a kubelet has no logs. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import type { Progress } from '../../../src/cli/progress.ts';
import { RunnerLog } from '../../../src/cli/runner-log.ts';
import { KubeCluster } from '../../../src/kube/client.ts';
import { Http } from '../../../src/kube/http.ts';
import { waitFor } from '../../cluster/wait.ts';

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'nightly-backup-1', namespace: 'shop', uid: 'p1', resourceVersion: '5', creationTimestamp: '' },
  spec: {},
  status: { containerStatuses: [{ name: 'runner', state: { running: {} } }] },
};

let server: Server | undefined;
let http: Http | undefined;
let log: RunnerLog | undefined;

afterEach(async () => {
  await log?.stop();
  http?.close();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

/** Answers each path that ends so with what is given; everything else is forbidden. */
async function follow(answers: Readonly<Record<string, (response: ServerResponse) => void>>) {
  const asked: string[] = [];
  server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const [, answer] = Object.entries(answers).find(([part]) => path.includes(part)) ?? [];
    if (answer !== undefined) return answer(response);
    response.writeHead(403).end(JSON.stringify({ reason: 'Forbidden', message: 'no' }));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  http = new Http({ url: new URL(`http://127.0.0.1:${port}`), access: async () => ({ headers: {}, tls: {} }) });
  const heard: (Progress | undefined)[] = [];
  log = new RunnerLog({ http, cluster: new KubeCluster(http), namespace: 'shop' }, 'u1', (progress) =>
    heard.push(progress),
  );
  await log.start();
  return { asked, heard };
}

const list = (response: ServerResponse) =>
  response.end(JSON.stringify({ metadata: { resourceVersion: '5' }, items: [POD] }));
const line = (bytes: number) => `${JSON.stringify({ msg: 'progress', stage: 'dump', bytes, seconds: 1 })}\n`;

test('is told line by line while it works, and forgotten when it ends', async () => {
  const { asked, heard } = await follow({
    '/log?': (response) => {
      response.write(line(1));
      response.write('something else\n');
      setTimeout(() => response.end(line(2)), 20);
    },
    'watch=true': (response) => response.writeHead(200).flushHeaders(),
    '/pods?': list,
  });
  await waitFor(async () => heard.length === 3, {
    timeoutMs: 5_000,
    otherwise: () => JSON.stringify({ heard, asked }),
  });
  expect(heard).toEqual([{ stage: 'dump', bytes: 1, seconds: 1 }, { stage: 'dump', bytes: 2, seconds: 1 }, undefined]);
  expect(asked.filter((path) => path.includes('/log'))).toEqual([
    '/api/v1/namespaces/shop/pods/nightly-backup-1/log?follow=true&container=runner&tailLines=20',
  ]);
});

test('is done without where logs may not be read', async () => {
  const { heard } = await follow({
    'watch=true': (response) => response.writeHead(200).flushHeaders(),
    '/pods?': list,
  });
  await waitFor(async () => heard.length === 1, { timeoutMs: 5_000, otherwise: () => JSON.stringify(heard) });
  expect(heard).toEqual([undefined]);
});

test('is not asked for again and again where pods may not be listed', async () => {
  const { asked, heard } = await follow({});
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(asked).toHaveLength(1);
  expect(heard).toEqual([]);
});
