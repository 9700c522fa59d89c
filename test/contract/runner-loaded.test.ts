/** Once an archive is loaded, a restore needs the target server and nothing else: no store, no key, and no archive that is still there. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { CheckTask, LoadResult, SwapTask } from '../../src/api/task.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import { loadTask } from '../support/restore-steps.ts';
import { failureOf, fillServer, type InstanceWorld, instanceWorld, ODD, resultOf } from '../support/runner-instance.ts';
import { type RunnerRun, runRunner } from '../support/runner-process.ts';

jest.setTimeout(180_000);

let it: InstanceWorld;

beforeAll(async () => {
  it = await instanceWorld();
  await fillServer(it.world);
  await it.world.sql(
    'postgres',
    `ALTER DATABASE shop CONNECTION LIMIT 17`,
    `ALTER DATABASE shop SET search_path = "$user", "A b"`,
    `COMMENT ON DATABASE shop IS 'the shop''s, with \\ an é and\nholdfast-loaded: a line like ours'`,
    `COMMENT ON ROLE reader IS 'reads — and no more'`,
  );
}, 600_000);

afterAll(async () => {
  await it[Symbol.asyncDispose]();
});

async function load(task: SwapTask): Promise<LoadResult> {
  return resultOf(await it.run(loadTask(task)), 'load');
}

/** As after the store went away and the Secrets were removed: nobody listens there, and only the database's own is mounted. */
function alone(task: CheckTask | SwapTask): Promise<RunnerRun> {
  const { database = {} } = it.secrets();
  return runRunner({ ...task, store: { ...task.store, endpoint: 'http://127.0.0.1:9' } }, { secrets: { database } });
}

const checkOf = (task: SwapTask, sql: string, database?: string): CheckTask => ({
  ...loadTask(task),
  ...(task.noted === undefined ? {} : { noted: task.noted }),
  command: 'check',
  checks: [{ name: 'rows', sql, expect: '500', ...(database === undefined ? {} : { database }) }],
});

const CHECKED = { checks: [{ name: 'rows', passed: true }] };
const scratches = async () => (await it.world.databases()).filter((name) => name.startsWith('holdfast_scratch'));

async function commentOf(database: string): Promise<string> {
  const [row] = await it.world.sql(
    'postgres',
    `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = '${database}'`,
  );
  return String(row?.['comment']);
}

describe('of one database', () => {
  let shop: Fingerprint;
  let archive: Awaited<ReturnType<InstanceWorld['backup']>>;
  let count = 0;

  beforeAll(async () => {
    shop = await it.world.print('shop');
    archive = await it.backup({ database: it.access('shop') });
  });

  /** Loaded, and told so. */
  async function loaded(name: string, change: Partial<SwapTask> = {}): Promise<SwapTask> {
    const task = it.restoreTask(archive.task, archive.manifestDigest, { database: it.access(name), ...change });
    const { noted } = await load(task);
    expect(noted).toMatch(/^sha256:/);
    return { ...task, noted: noted! };
  }

  async function spoilt(): Promise<{ readonly name: string; readonly print: Fingerprint }> {
    const name = `shop_${count++}`;
    await it.world.sql('postgres', `CREATE DATABASE ${name} TEMPLATE shop OWNER "shop owner"`);
    await it.world.sql(name, 'DELETE FROM orders WHERE id > 10');
    return { name, print: await it.world.print(name) };
  }

  test('a new one is checked, goes live, and is what was backed up, properties and all', async () => {
    const name = `shop_${count++}`;
    const task = await loaded(name);
    expect(resultOf(await alone(checkOf(task, 'SELECT count(*) FROM orders')), 'check')).toEqual(CHECKED);
    expect(resultOf(await alone(task), 'swap')).toEqual({});
    expect(await it.world.print(name)).toEqual(shop);
    expect(await commentOf(name)).not.toMatch(/holdfast-(loaded: \{|scratch)/);
    expect(await scratches()).toEqual([]);
  });

  test('one in the place of a live one goes live, and a second attempt says the same', async () => {
    const { name, print } = await spoilt();
    const task = await loaded(name);
    const result = resultOf(await alone(task), 'swap');
    expect(result).toEqual({ previousDatabase: task.previousDatabase });
    const live = await it.world.print(name);
    expect(live).toEqual({ ...print, rows: shop.rows });
    expect(resultOf(await alone(task), 'swap')).toEqual(result);
    expect(await it.world.print(name)).toEqual(live);
  });

  test('of the archive the note tells what the database is to have, and nothing that it will not', async () => {
    const { name } = await spoilt();
    await it.world.sql('postgres', `ALTER DATABASE shop SET app.secret = 'of the archive'`);
    const another = await it.backup({ database: it.access('shop') });
    await it.world.sql('postgres', 'ALTER DATABASE shop RESET app.secret');
    const task = it.restoreTask(another.task, another.manifestDigest, { database: it.access(name) });
    const { noted } = await load(task);
    const comment = await commentOf(task.scratchDatabase);
    expect(comment).toContain('holdfast-loaded: {');
    for (const word of ['of the archive', 'orders']) expect(comment).not.toContain(word);
    resultOf(await alone({ ...task, noted: noted! }), 'swap');
  });

  test('a note that somebody changed is not gone by: the live database is as it was, and the scratch one goes', async () => {
    const { name, print } = await spoilt();
    const task = await loaded(name);
    const comment = await commentOf(task.scratchDatabase);
    const forged = comment.replace('"settings":[', '"settings":[{"name":"session_preload_libraries","value":"evil"},');
    expect(forged).not.toBe(comment);
    await it.world.sql(
      'postgres',
      `COMMENT ON DATABASE "${task.scratchDatabase}" IS '${forged.replaceAll("'", "''")}'`,
    );
    for (const run of [await alone(checkOf(task, 'SELECT 500')), await alone(task)])
      expect(failureOf(run)).toMatchObject({ reason: 'ScratchChanged', retry: false });
    expect(await it.world.print(name)).toEqual(print);
    expect(await scratches()).toEqual([]);
  });

  test('a load whose word was not noted goes live by the archive, and waits for it', async () => {
    const { name, print } = await spoilt();
    const { noted: _, ...task } = await loaded(name);
    expect(failureOf(await alone(task))).toMatchObject({ reason: 'SecretNotFound', retry: true });
    expect(await it.world.print(name)).toEqual(print);
    resultOf(await it.run(task), 'swap');
    expect(await it.world.print(name)).toEqual({ ...print, rows: shop.rows });
  });
});

describe('of a whole server', () => {
  const DATABASES = ['shop', ODD];
  const prints = () => Promise.all(DATABASES.map((name) => it.world.print(name)));
  const roles = () =>
    it.world.sql(
      'postgres',
      `SELECT a.*, shobj_description(a.oid, 'pg_authid') AS comment, NULL AS oid, s.setconfig
       FROM pg_authid a LEFT JOIN pg_db_role_setting s ON s.setrole = a.oid AND s.setdatabase = 0
       WHERE rolname IN ('reader', 'team', 'shop owner') ORDER BY rolname`,
    );

  const drop = (name: string) => it.world.sql('postgres', `DROP DATABASE "${name.replaceAll('"', '""')}"`);

  beforeAll(async () => {
    // Within the maintenance database nothing is restored.
    await it.world.sql('postgres', 'DROP TABLE notes');
    for (const name of (await it.world.databases()).filter((each) => each.startsWith('shop_'))) await drop(name);
  });

  test('databases and roles that are gone come back as they were', async () => {
    const before = [await prints(), await roles()];
    const archive = await it.backup();
    for (const name of DATABASES) await drop(name);
    await it.world.sql('postgres', 'DROP ROLE reader', 'DROP ROLE team');
    const task = it.restoreTask(archive.task, archive.manifestDigest);
    const { noted } = await load(task);
    const whole = { ...task, noted: noted! };
    expect(resultOf(await alone(checkOf(whole, 'SELECT count(*) FROM orders', 'shop')), 'check')).toEqual(CHECKED);
    expect(resultOf(await alone(whole), 'swap')).toEqual({});
    expect([await prints(), await roles()]).toEqual(before);
    expect(await scratches()).toEqual([]);
  });

  test('of roles the note has no passwords, and nothing of those that stay as they are', async () => {
    const archive = await it.backup();
    await it.world.sql('shop', 'DROP OWNED BY team', 'DROP ROLE team');
    const task = it.restoreTask(archive.task, archive.manifestDigest, { dropPrevious: true });
    const { noted } = await load(task);
    const comment = await commentOf(`${task.scratchDatabase}_0`);
    expect(comment).toContain('"team"');
    for (const word of ['SCRAM-SHA-256', 'reads', '2033-01-01']) expect(comment).not.toContain(word);
    resultOf(await alone({ ...task, noted: noted! }), 'swap');
  });

  test('where roles are to be what they were, their passwords stay in the archive, which the swap reads', async () => {
    const before = [await prints(), await roles()];
    const archive = await it.backup();
    await it.world.sql('postgres', `ALTER ROLE reader PASSWORD 'another' CONNECTION LIMIT 9`);
    for (const name of DATABASES) await drop(name);
    const task = it.restoreTask(archive.task, archive.manifestDigest, { rolesOnConflict: 'Replace' });
    expect(await load(task)).toEqual({});
    expect(failureOf(await alone(task))).toMatchObject({ reason: 'SecretNotFound', retry: true });
    resultOf(await it.run(task), 'swap');
    expect([await prints(), await roles()]).toEqual(before);
  });
});
