/** The plugin against a cluster at work, as a person uses it: a backup now, a look, and the way back. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { generateX25519Identity } from 'age-encryption';
import type { Backup } from '../../src/api/backup.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import { type Ended, type PluginOptions, plugin } from '../support/cli-world.ts';
import { printOf, theApp } from '../support/e2e-runs.ts';
import { aScene, REPLICAS, type Scene } from '../support/e2e-scene.ts';
import { POSTGRES_HOST, sql, theWorld } from '../support/e2e-world.ts';

/** Enough for the runner's progress to be seen. */
const ROWS = 300_000;

let scene: Scene;
let folder: string;

beforeAll(async () => {
  scene = await aScene('plugin', { rows: ROWS });
  folder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-plugin-'));
  await writeFile(join(folder, 'team.key'), `${scene.identity}\n`, { mode: 0o600 });
  await scene.kubectl.apply([aSchedule('nightly', 'store'), aSchedule('broken', 'nowhere')]);
});

afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** By itself it runs on 29 February only. */
function aSchedule(name: string, store: string): object {
  const credentials = { secretRef: { name: 'database-login' } };
  const source = { postgresql: { host: POSTGRES_HOST, database: scene.database, credentials } };
  const spec = { source, storeRef: { name: store }, startDeadline: store === 'store' ? '10m' : '20s' };
  return {
    apiVersion: API_VERSION,
    kind: 'BackupSchedule',
    metadata: { name },
    spec: { schedule: '0 0 29 2 *', template: { spec } },
  };
}

const asked = (args: readonly string[], options: PluginOptions = {}): Promise<Ended> =>
  plugin(['-n', scene.namespace, ...args], {
    cwd: folder,
    ...options,
    env: { KUBECONFIG: theWorld().kubeconfig, ...options.env },
  });

const nameIn = (text: string) => /\w+\.holdfast\.dev\/(\S+) created/.exec(text)?.[1] ?? '';

const orders = async () => (await sql<{ count: number }>(scene.database, 'SELECT count(*)::int FROM orders'))[0]?.count;

async function aCompleteBackup(): Promise<string> {
  const { stdout } = await asked(['list', '-o', 'json']);
  const { items } = JSON.parse(stdout) as { items: Backup[] };
  return items.find(({ status }) => status?.phase === 'Complete')!.metadata.name;
}

const restored = (backup: string, ...more: string[]) => [
  ...['restore', backup, '--yes', '--wait', '--scale-down', 'deployment/app'],
  ...more,
];

test('a backup now, from a schedule: it is waited for, counted by the schedule, and listed', async () => {
  const { code, stdout, stderr } = await asked(['backup', '--from', 'nightly', '--wait']);
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Complete after/m) });
  const list = await asked(['list', '--schedule', 'nightly', '-o', 'json']);
  const { items } = JSON.parse(list.stdout) as { items: Backup[] };
  expect(items.map(({ metadata, status }) => [metadata.name, status?.phase])).toEqual([[nameIn(stdout), 'Complete']]);
});

test('on a terminal a bar shows how far a backup is, against the size of the last one', async () => {
  const { code, stdout } = await asked(['backup', '--from', 'nightly', '--wait'], { terminal: [] });
  expect(stdout).toMatch(/dump [\d.]+ MiB.* \[#+-*\] \d+ % of about/);
  expect(stdout).toContain('Complete');
  expect(code).toBe(0);
});

test('what cannot begin is told while it waits, and ends with cause and next step', async () => {
  const { code, stderr } = await asked(['backup', '--from', 'broken', '--wait']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^Pending: StoreNotFound: .*nowhere/m);
  expect(stderr).toMatch(/^error: Backup .* failed after .*StoreNotFound/m);
  expect(stderr).toMatch(/^next: /m);
});

test('a restore with the private key from a file, watched from elsewhere: the data is back, the app is back, the key is gone', async () => {
  const backup = await aCompleteBackup();
  const before = await printOf(scene);
  await sql(scene.database, 'DELETE FROM orders');
  const watched = asked(['status', '--watch'], { interruptAfter: ' Resuming' });

  const { code, stdout, stderr } = await asked(
    restored(backup, '--on-conflict', 'Replace', '--identity-file', 'team.key'),
  );
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Complete after/m) });
  expect(stderr).toContain(scene.database);
  expect(await printOf(scene)).toEqual(before);
  expect((await theApp(scene)).spec.replicas).toBe(REPLICAS);
  const name = nameIn(stdout);
  expect(await scene.kubectl.get('secret', `${name}-identity`)).toBeUndefined();

  const seen = await watched;
  expect(seen.stdout).toMatch(new RegExp(`Restore ${name} Loading`));
});

test('a restore into a database that has data is refused with what to say instead', async () => {
  const backup = await aCompleteBackup();
  const { code, stderr } = await asked(restored(backup, '--identity-file', 'team.key'));
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: Restore .* failed after .*TargetNotEmpty/m);
  expect(stderr).toMatch(/^next: .*Replace/m);
  expect(await orders()).toBe(ROWS);
});

test('a private key that opens something else is refused before anything is made', async () => {
  const backup = await aCompleteBackup();
  await writeFile(join(folder, 'other.key'), await generateX25519Identity());
  const before = (await scene.kubectl.list('restore')).length;
  const { code, stderr } = await asked(restored(backup, '--identity-file', 'other.key'));
  expect(code).toBe(1);
  expect(stderr).toMatch(/other\.key does not open Backup/);
  expect(stderr).toMatch(/^next: /m);
  expect(await scene.kubectl.list('restore')).toHaveLength(before);
});
