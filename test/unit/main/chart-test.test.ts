import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { tempDir } from '../../cluster/temp-dir.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', '..', 'src', 'main', 'chart-test.ts');
const OURS = ['backupstores', 'backupkeys', 'backupschedules', 'backups', 'restores'];

interface World {
  readonly readyz?: { readonly status: number; readonly text: string };
  /** So many requests for it fail first. */
  readonly late?: number;
  readonly kinds?: readonly string[];
  /** What condition Ready says of each of the three objects; absent: there is no such object. */
  readonly ready?: Readonly<Record<string, { readonly status: string; readonly observedGeneration: number }>>;
}

const opened: Server[] = [];

afterEach(() => {
  for (const server of opened.splice(0)) server.close();
});

/** The operator and the API server in one, as far as the program asks them. */
async function serve({ readyz, late = 0, kinds = OURS, ready = {} }: World): Promise<number> {
  let toFail = late;
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
    const path = request.url ?? '';
    if (path === '/readyz' && toFail-- > 0) return answer(503, 'starting');
    if (path === '/readyz') return answer(readyz?.status ?? 200, readyz?.text ?? 'ok');
    if (path === '/apis/holdfast.dev/v1alpha1') return answer(200, { resources: kinds.map((name) => ({ name })) });
    const [, plural = ''] =
      /^[/]apis[/]holdfast.dev[/]v1alpha1[/]namespaces[/]shop[/]([a-z]+)[/]nightly$/.exec(path) ?? [];
    const condition = ready[plural];
    if (condition === undefined)
      return answer(404, { kind: 'Status', code: 404, reason: 'NotFound', message: 'not found' });
    const said = { type: 'Ready', reason: 'BucketNotFound', message: 'there is no bucket x', ...condition };
    return answer(200, { metadata: { name: 'nightly', generation: 2 }, status: { conditions: [said] } });
  });
  opened.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function chartTest(world: World, env: NodeJS.ProcessEnv = {}): Promise<{ code: number; lines: string[] }> {
  const port = await serve(world);
  const folder = await tempDir('chart-test');
  try {
    const kubeconfig = join(folder, 'kubeconfig');
    const cluster = { name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } };
    const context = { name: 'c', context: { cluster: 'c', user: 'u' } };
    await writeFile(
      kubeconfig,
      JSON.stringify({
        clusters: [cluster],
        contexts: [context],
        users: [{ name: 'u', user: {} }],
        'current-context': 'c',
      }),
    );
    const child = spawn(process.execPath, [PROGRAM], {
      env: {
        ...{ PATH: process.env['PATH'], KUBECONFIG: kubeconfig, HOLDFAST_TEST_SECONDS: '0' },
        ...{ HOLDFAST_TEST_OPERATOR: `http://127.0.0.1:${port}/readyz`, ...env },
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    const [code] = (await once(child, 'close')) as [number];
    return { code, lines: text.trim().split('\n') };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const SCHEDULE = { HOLDFAST_TEST_NAMESPACE: 'shop', HOLDFAST_TEST_NAME: 'nightly' };
const READY = { status: 'True', observedGeneration: 2 };
const ALL_READY = { backupstores: READY, backupkeys: READY, backupschedules: READY };

test('an operator alone that is ready, with its kinds, passes', async () => {
  const { code, lines } = await chartTest({});
  expect({ code, lines }).toEqual({
    code: 0,
    lines: ['ok: the operator is ready', 'ok: the API server serves our kinds'],
  });
});

test('with a schedule its store, key and schedule count too', async () => {
  const { code, lines } = await chartTest({ ready: ALL_READY }, SCHEDULE);
  expect({ code, lines: lines.slice(2) }).toEqual({
    code: 0,
    lines: [
      'ok: BackupStore shop/nightly is Ready',
      'ok: BackupKey shop/nightly is Ready',
      'ok: BackupSchedule shop/nightly is Ready',
    ],
  });
});

test('what is not good yet is asked again, as long as there is patience', async () => {
  const { code, lines } = await chartTest({ late: 1 }, { HOLDFAST_TEST_SECONDS: '30' });
  expect({ code, first: lines[0] }).toEqual({ code: 0, first: 'ok: the operator is ready' });
});

test.each<[string, World, NodeJS.ProcessEnv, string]>([
  [
    'an operator that is not ready',
    { readyz: { status: 503, text: 'waits for its caches' } },
    {},
    'FAILED: the operator is ready: http://OPERATOR/readyz says 503: waits for its caches.',
  ],
  [
    'an operator that does not answer',
    {},
    { HOLDFAST_TEST_OPERATOR: 'http://127.0.0.1:1/readyz' },
    'FAILED: the operator is ready: http://127.0.0.1:1/readyz does not answer (',
  ],
  [
    'a kind that is not served',
    { kinds: OURS.slice(1) },
    {},
    'FAILED: the API server serves our kinds: backupstores missing.',
  ],
  [
    'a store that is not Ready, with its reason',
    { ready: { ...ALL_READY, backupstores: { status: 'False', observedGeneration: 2 } } },
    SCHEDULE,
    'FAILED: BackupStore shop/nightly is Ready: BucketNotFound: there is no bucket x',
  ],
  [
    'a key that the operator has not looked at since it changed',
    { ready: { ...ALL_READY, backupkeys: { status: 'True', observedGeneration: 1 } } },
    SCHEDULE,
    'FAILED: BackupKey shop/nightly is Ready: the operator has not looked at it.',
  ],
  [
    'a schedule that is gone',
    { ready: { backupstores: READY, backupkeys: READY } },
    SCHEDULE,
    'FAILED: BackupSchedule shop/nightly is Ready: ',
  ],
])('%s fails the test, and the rest is told too', async (_what, world, env, line) => {
  const { code, lines } = await chartTest(world, env);
  expect(code).toBe(1);
  expect(lines).toHaveLength('HOLDFAST_TEST_NAME' in env ? 5 : 2);
  const failed = lines.filter((each) => each.startsWith('FAILED'));
  expect(failed).toHaveLength(1);
  expect(failed[0]!.replace(/127[.]0[.]0[.]1:\d{3,}/, 'OPERATOR')).toContain(line);
});
