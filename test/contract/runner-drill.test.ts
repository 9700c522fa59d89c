import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { BackupTask, Check, DrillTask, ExamineTask } from '../../src/api/task.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { newIdentity } from '../../src/keys/identities.ts';
import { type PostgresWorld, postgresWorld } from '../support/postgres-world.ts';
import { failureOf, fillServer, type InstanceWorld, instanceWorld, ODD, resultOf } from '../support/runner-instance.ts';
import { type RunnerRun, type Secrets, startRunner } from '../support/runner-process.ts';

jest.setTimeout(180_000);

let it_: InstanceWorld;
/** What the pod of a drill has beside its runner: a server with nothing in it. */
let throwaway: PostgresWorld;

beforeAll(async () => {
  it_ = await instanceWorld();
  throwaway = await postgresWorld();
  await fillServer(it_.world);
  await it_.tablespace();
  await it_.world.sql(
    'shop',
    `CREATE ROLE "the clerk"; CREATE ROLE auditor; CREATE ROLE giver;
     CREATE TABLE receipts (id int, shop text) TABLESPACE fast;
     INSERT INTO receipts SELECT n, 'a' FROM generate_series(1, 30) n;
     ALTER TABLE receipts OWNER TO "the clerk"; ALTER TABLE receipts ENABLE ROW LEVEL SECURITY;
     CREATE POLICY "of ON shop TO x" ON receipts FOR SELECT TO auditor, team USING (shop = 'a');
     GRANT SELECT ON orders TO giver WITH GRANT OPTION;
     SET ROLE giver; GRANT SELECT ON orders TO auditor; RESET ROLE;
     ALTER DEFAULT PRIVILEGES FOR ROLE "shop owner" GRANT SELECT ON TABLES TO reader`,
  );
}, 600_000);

afterAll(async () => {
  await Promise.all([it_[Symbol.asyncDispose](), throwaway[Symbol.asyncDispose]()]);
});

function taskFor(backup: BackupTask, manifestDigest: string, checks: readonly Check[] = []): DrillTask {
  const { run, store, folder } = backup;
  return {
    command: 'drill',
    run: { ...run, name: 'drill', uid: randomUUID() },
    store,
    archive: { folder, manifestDigest, cluster: run.cluster, namespace: run.namespace },
    identity: { secret: 'key', key: 'identity.txt' },
    port: throwaway.server.port,
    checks,
    notAfter: new Date(Date.now() + 600_000).toISOString(),
  };
}

const examineTask = ({ port: _, checks: __, notAfter: ___, ...base }: DrillTask): ExamineTask => ({
  ...base,
  command: 'examine',
});

/** Nothing is mounted for a database: a drill has none. */
async function runDrill(task: DrillTask | ExamineTask, over: Secrets = {}): Promise<RunnerRun> {
  const { database: _, ...secrets } = it_.secrets();
  const drillPassword = throwaway.server.password;
  const { ended } = await startRunner(task, { secrets: { ...secrets, ...over }, drillPassword, attempt: randomUUID() });
  return ended;
}

/** So that what is there afterwards is of the drill that comes. */
const forget = (database: string) => throwaway.sql('template1', `DROP DATABASE IF EXISTS "${database}"`);

const databasesLeft = async () => (await throwaway.databases()).filter((name) => !name.startsWith('template'));

describe('a drill', () => {
  test('restores a database on a server that knows nothing of its roles and tablespaces, asks it, and counts', async () => {
    const { task, manifestDigest } = await it_.backup({ database: it_.access('shop') });
    const checks = [
      { name: 'orders', sql: 'SELECT count(*) FROM orders', expect: '500' },
      { name: 'owner', sql: `SELECT tableowner FROM pg_tables WHERE tablename = 'receipts'`, expect: 'the clerk' },
    ];
    const run = await runDrill(taskFor(task, manifestDigest, checks));
    const result = resultOf(run, 'drill');
    expect(result).toMatchObject({
      totals: { databases: 1, tables: 2, rows: 530 },
      largest: [
        { table: 'public.orders', rows: 500 },
        { table: 'public.receipts', rows: 30 },
      ],
      checks: [
        { name: 'orders', passed: true },
        { name: 'owner', passed: true },
      ],
    });
    expect(result.databases).toBeUndefined();
    expect(result.totals.bytes).toBeGreaterThan(1_000_000);
    expect(await throwaway.print('shop')).toEqual(await it_.world.print('shop'));
  });

  test('tells which check did not hold, and what was answered instead', async () => {
    const { task, manifestDigest } = await it_.backup({ database: it_.access('shop') });
    const checks = [
      { name: 'too-few', sql: 'SELECT count(*) > 1000 FROM orders', expect: 'true' },
      { name: 'nonsense', sql: 'SELECT count(*) FROM nowhere', expect: '1' },
      { name: 'right', sql: 'SELECT 1', expect: '1' },
    ];
    await forget('shop');
    const { checks: found } = resultOf(await runDrill(taskFor(task, manifestDigest, checks)), 'drill');
    expect(await throwaway.print('shop')).toEqual(await it_.world.print('shop'));
    expect(found).toEqual([
      { name: 'too-few', passed: false, found: 'false' },
      { name: 'nonsense', passed: false, found: expect.stringContaining('"nowhere" does not exist') },
      { name: 'right', passed: true },
    ]);
  });

  test('of a whole server restores every database of it, with the roles as they were', async () => {
    const { task, manifestDigest } = await it_.backup();
    const checks = [
      { name: 'odd', sql: 'SELECT v FROM "T.x"', expect: 'kept', database: ODD },
      { name: 'which', sql: 'SELECT 1', expect: '1' },
    ];
    const result = resultOf(await runDrill(taskFor(task, manifestDigest, checks)), 'drill');
    expect(result.totals).toMatchObject({ databases: 3, tables: 4, rows: 532 });
    expect(result.databases?.map(({ name }) => name).sort()).toEqual([ODD, 'postgres', 'shop'].sort());
    expect(result.largest).toContainEqual({ table: 'shop.public.orders', rows: 500 });
    expect(result.checks).toEqual([
      { name: 'odd', passed: true },
      { name: 'which', passed: false, found: expect.stringContaining('names none') },
    ]);
    for (const database of [ODD, 'postgres', 'shop'])
      expect(await throwaway.print(database)).toEqual(await it_.world.print(database));
  });

  test('takes one database out of the archive of a whole server', async () => {
    const { task, manifestDigest } = await it_.backup();
    const one = { ...taskFor(task, manifestDigest), fromDatabase: 'shop' };
    await forget('shop');
    expect(resultOf(await runDrill(one), 'drill').totals).toMatchObject({ databases: 1, rows: 530 });
    expect(await throwaway.print('shop')).toEqual(await it_.world.print('shop'));
    const none = { ...taskFor(task, manifestDigest), fromDatabase: 'shpo' };
    expect(resultOf(await runDrill(examineTask(none)), 'examine').refusals).toMatchObject([
      { reason: 'DatabaseNotInArchive' },
    ]);
  });

  test('of an archive with a changed byte fails', async () => {
    const { task, manifestDigest } = await it_.backup({ database: it_.access('shop') });
    const [segment] = (await it_.manifest(task)).segments;
    await it_.spoil(`${task.folder}${segment?.key}`);
    const run = await runDrill(taskFor(task, manifestDigest));
    expect(run.exitCode).toBe(4);
    expect(failureOf(run)).toMatchObject({ reason: expect.stringMatching(/^Archive/), retry: false });
  });

  test('with a key that is not the right one fails before anything is made, and the look beforehand says so', async () => {
    const { task, manifestDigest } = await it_.backup({ database: it_.access('shop') });
    await forget('shop');
    const before = await databasesLeft();
    const identity = { 'identity.txt': (await newIdentity('classic')).identity };
    const run = await runDrill(taskFor(task, manifestDigest), { identity });
    expect(failureOf(run)).toMatchObject({ reason: 'KeyMismatch', retry: false });
    expect(await databasesLeft()).toEqual(before);
    const look = resultOf(await runDrill(examineTask(taskFor(task, manifestDigest)), { identity }), 'examine');
    expect(look).toMatchObject({ refusals: [{ reason: 'KeyMismatch' }], major: 0 });
  });

  test('is told beforehand which server the archive is for', async () => {
    const { task, manifestDigest } = await it_.backup({ database: it_.access('shop') });
    const look = resultOf(await runDrill(examineTask(taskFor(task, manifestDigest))), 'examine');
    expect(look).toMatchObject({ refusals: [], major: it_.world.server.major });
    expect(look.bytesNeeded).toBeGreaterThan(1_000);
  });

  test('makes a database whose locale the image lacks with another one, and says so', async () => {
    await using ours = await postgres.openThrowaway(
      { ...throwaway.serverAccess, maintenanceDatabase: 'template1' },
      throwaway.superuser,
      throwaway.context,
    );
    const properties = {
      owner: 'postgres',
      encoding: 'UTF8',
      localeProvider: 'c',
      collate: 'xx_XX.UTF-8',
      ctype: 'C.UTF-8',
      tablespace: 'pg_default',
      connectionLimit: -1,
      settings: [],
    };
    expect(await ours.create('strange', properties)).toEqual([expect.stringContaining('xx_XX.UTF-8')]);
    expect(await ours.create('plain', { ...properties, collate: 'C' })).toEqual([]);
  });
});
