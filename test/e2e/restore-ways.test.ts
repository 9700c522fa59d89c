/** Every way to restore from one backup: what is newest, by its place, in part, beside what is there, with checks, and back again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import type { Restore, RestoreSpec } from '../../src/api/restore.ts';
import { plugin } from '../support/cli-world.ts';
import { runNow } from '../support/e2e-examples.ts';
import { signal } from '../support/e2e-processes.ts';
import {
  haltWhileLoading,
  identitySecret,
  loadersIn,
  printOf,
  scaleLeases,
  startRestore,
  theApp,
  untilAppHas,
} from '../support/e2e-runs.ts';
import { aScene, quoted, REPLICAS, type Scene } from '../support/e2e-scene.ts';
import { eventually, untilComplete, untilFailed } from '../support/e2e-wait.ts';
import { openSession, POSTGRES_HOST, sql, theWorld } from '../support/e2e-world.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import { namesIn, type Relation, seen } from '../support/postgres-parts.ts';

const ROWS = 60_000;
const LATEST: RestoreSpec['from'] = { latest: { scheduleRef: { name: 'nightly' } } };

let scene: Scene;
let folder: string;
let backup: Backup;
let before: Fingerprint;
/** Before it was first restored. */
let wrecked: Fingerprint;

const credentials = { secretRef: { name: 'database-login' } };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-ways-'));
  scene = await aScene('ways', { rows: ROWS });
  before = await printOf(scene);
  const source = { postgresql: { host: POSTGRES_HOST, database: scene.database, credentials } };
  const spec = { schedule: '0 0 29 2 *', template: { spec: { source, storeRef: { name: 'store' } } } };
  await scene.kubectl.apply([
    { apiVersion: API_VERSION, kind: 'BackupSchedule', metadata: { name: 'nightly' }, spec },
    // Two restores at once would both find that it is missing, and one of them could not create it.
    identitySecret(scene),
  ]);
  const { status } = await runNow(scene, 'nightly');
  backup = await untilComplete<Backup>(scene.kubectl, 'backup', status?.lastBackup ?? '');
});

afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** Without a Backup of what is there: that is another test's subject, and takes its time. */
const start = (name: string, from: RestoreSpec['from'], over: Partial<RestoreSpec> = {}) =>
  startRestore(scene, name, '', { from, safetyBackup: false, ...over });

const complete = (name: string) => untilComplete<Restore>(scene.kubectl, 'restore', name);

/** Of another database of the same server, with nobody at work on it. */
const beside = (database: string): Partial<RestoreSpec> => ({
  target: { postgresql: { database } },
  scaleDown: undefined as never,
  onConflict: 'Fail',
});

function relation(name: string, kind: string): Relation {
  const text = `public.${name}`;
  return { schema: 'public', name, kind, text, line: [text] };
}

test('in part and beside what is there, both at once: a table alone into a new database; missing objects added, others left as they are', async () => {
  const [part, skip] = [`${scene.database}-part`, `${scene.database}-skip`];
  await sql('postgres', `CREATE DATABASE ${quoted(skip)} OWNER ${quoted(scene.login.role)}`);
  await using session = await openSession(skip, scene.login);
  await session.rows('CREATE TABLE notes (text text); INSERT INTO notes VALUES ($$mine$$)');

  const customers = { include: { tables: [{ schema: 'public', name: 'customers' }] } };
  const relations = [relation('customers', 'r'), relation('customers_id_seq', 'S')];
  await Promise.all([
    start('part', LATEST, { ...beside(part), ...customers }),
    start('skip', LATEST, { ...beside(skip), onConflict: 'Skip' }),
  ]);
  await complete('part');
  const alone = await printOf({ database: part });
  expect(namesIn(alone)).toEqual(['public.customers', 'public.customers_id_seq']);
  expect(seen(alone, relations)).toEqual(seen(before, relations));
  expect(alone.rows).toEqual({ 'ONLY public.customers': before.rows['ONLY public.customers'] });

  const { status } = await complete('skip');
  expect(status?.objects?.addedCount).toBeGreaterThan(0);
  expect(await session.rows('SELECT text FROM notes')).toEqual([{ text: 'mine' }]);
  await session.rows('DROP TABLE notes');
  expect(await printOf({ database: skip })).toEqual(before);
});

test('the newest backup of a schedule replaces the database, with a safety backup, once its checks hold; and undo brings back what was there', async () => {
  await sql(scene.database, 'TRUNCATE orders');
  wrecked = await printOf(scene);
  const checks = [{ name: 'orders', sql: 'SELECT count(*) FROM orders', expect: String(ROWS) }];
  await start('newest', LATEST, { checks, safetyBackup: true });
  const { status } = await complete('newest');
  expect(status).toMatchObject({
    resolved: { backup: backup.metadata.name, digest: backup.status?.manifestDigest },
    checks: [{ name: 'orders', passed: true }],
    safetyBackup: { name: expect.any(String), time: expect.any(String) },
  });
  expect(await printOf(scene)).toEqual(before);
  await untilAppHas(scene, REPLICAS);

  const env = { KUBECONFIG: theWorld().kubeconfig };
  const undone = await plugin(['-n', scene.namespace, 'undo', 'newest', '--yes', '--wait'], { cwd: folder, env });
  expect(undone).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Complete after/m) });
  expect(await printOf(scene)).toEqual(wrecked);
  await untilAppHas(scene, REPLICAS);
});

test('a check that fails leaves the live database alone, the app up, and with keepScratch the restored one for a look', async () => {
  const checks = [{ name: 'customers', sql: 'SELECT count(*) FROM customers', expect: '501' }];
  await start('doubted', LATEST, { checks, keepScratch: true });
  const { status } = await untilFailed<Restore>(scene.kubectl, 'restore', 'doubted');
  expect(status?.checks).toEqual([{ name: 'customers', passed: false, found: '500' }]);
  expect(await printOf(scene)).toEqual(wrecked);
  // Whose it is, and who may enter it, is settled by the swap.
  const { rows, schema } = before;
  expect(await printOf({ database: status?.scratchDatabase ?? '' })).toMatchObject({ rows, schema });
  await untilAppHas(scene, REPLICAS);
  expect(await scaleLeases(scene)).toEqual([]);
  await sql('postgres', `DROP DATABASE ${quoted(status?.scratchDatabase ?? '')}`);
});

test('somebody scales the app up while it is restored: it goes back to zero, that is said with who it was, and their count is the one it returns to', async () => {
  await start('contested', LATEST);
  const pod = await haltWhileLoading(scene, 'contested');
  await scene.kubectl.call(['scale', 'deployment/app', '--replicas=2']);
  await eventually('the app is at zero again', async () => (await theApp(scene)).spec.replicas === 0);
  signal(loadersIn(pod), 'SIGCONT');

  await complete('contested');
  await untilAppHas(scene, 2);
  expect(await printOf(scene)).toEqual(before);
  const events = await scene.kubectl.call([
    'get',
    'events',
    '-o',
    'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}',
  ]);
  expect(events).toMatch(/^ScaleContested: .*kubectl/m);
});

test('an archive whose Backup is gone is restored by its place in the bucket, onto the server that the Restore names', async () => {
  const path = backup.status?.location ?? '';
  await scene.kubectl.call(['delete', 'backup', backup.metadata.name]);
  const database = `${scene.database}-place`;
  const target = { postgresql: { host: POSTGRES_HOST, database, credentials } };
  await start('by-place', { archive: { storeRef: { name: 'store' }, path } }, { ...beside(database), target });
  await complete('by-place');
  expect(await printOf({ database })).toEqual(before);
});
