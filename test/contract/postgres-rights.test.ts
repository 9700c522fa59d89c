import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Login, TargetRequest } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { anExampleDatabase } from '../support/postgres-example.ts';
import {
  type Archive,
  aRestore,
  dumpOf,
  inTheFuture,
  loadInto,
  PASSWORD,
  type PostgresWorld,
  postgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

let world: PostgresWorld;
let archive: Archive;
/** Has exactly the rights that the documentation asks for. */
let restorer: Login;
let dumper: Login;

beforeAll(async () => {
  world = await postgresWorld({ wal_level: 'logical', max_prepared_transactions: '5' });
  await world.role('app');
  await world.role('reader');
  dumper = await world.role('dumper');
  restorer = await world.role('restorer', 'CREATEDB');
  await world.sql('postgres', 'GRANT app TO restorer', 'GRANT pg_read_all_data TO dumper');
  await anExampleDatabase(world, 'shop', { superuserThings: false });
  await world.sql(
    'shop',
    'DROP POLICY everyone ON person',
    'ALTER TABLE person DISABLE ROW LEVEL SECURITY',
    'SELECT lo_unlink(4711)',
    'ALTER ROLE app IN DATABASE shop RESET ALL',
    'GRANT CONNECT ON DATABASE shop TO dumper',
  );
  archive = await dumpOf(world, 'shop', dumper);
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const refusals = async (database = 'shop', over: Partial<TargetRequest> = {}, login = restorer) => {
  const request = requestFor(archive, database, { run: aRestore({ name: 'x' }), ...over });
  await using target = await postgres.openTarget(world.access(database), login, request, world.context);
  return (await target.plan()).refusals;
};

const asSuperuser = (...statements: readonly string[]) => world.sql('postgres', ...statements);

test('a role that may read all data dumps what the superuser dumps', async () => {
  const whole = await dumpOf(world, 'shop');
  expect(archive.properties).toEqual(whole.properties);
  expect(archive.bytes.length).toBe(whole.bytes.length);
});

test('the documented minimum is enough for a whole restore, and the database comes back the same', async () => {
  await world.sql('shop', 'CREATE TABLE later (a int)', 'DROP TABLE later');
  const before = await world.print('shop');
  const request = requestFor(archive, 'shop');
  await using target = await postgres.openTarget(world.access('shop'), restorer, request, world.context);
  expect((await target.plan()).refusals).toEqual([]);
  await loadInto(target, archive);
  const client = world.client('shop', { username: 'app', password: PASSWORD });
  await client.connect();
  await target.swap(inTheFuture());
  await expect(client.query('SELECT 1')).rejects.toThrow();
  expect(await world.print('shop')).toEqual(before);
  const owners = await world.sql(
    'shop',
    `SELECT DISTINCT pg_get_userbyid(extowner) AS owner FROM pg_extension WHERE extname = 'pgcrypto'`,
  );
  expect(owners).toEqual([{ owner: 'app' }]);
  await target.dropPrevious();
  expect(await world.databases()).not.toContain(request.previousDatabase);
}, 60_000);

describe('each right that is missing is a refusal, with the statement that grants it', () => {
  test.each<[string, string[], string[], { reason: string; hint: string }[]]>([
    [
      'CREATEDB',
      ['ALTER ROLE restorer NOCREATEDB'],
      ['ALTER ROLE restorer CREATEDB'],
      [{ reason: 'RightMissing', hint: 'ALTER ROLE "restorer" CREATEDB;' }],
    ],
    [
      'membership in the owner',
      ['REVOKE app FROM restorer', 'GRANT CONNECT ON DATABASE shop TO restorer'],
      ['GRANT app TO restorer', 'REVOKE CONNECT ON DATABASE shop FROM restorer'],
      [{ reason: 'RightMissing', hint: 'GRANT "app" TO "restorer";' }],
    ],
    [
      'the use of that membership',
      ['ALTER ROLE restorer NOINHERIT', 'GRANT CONNECT ON DATABASE shop TO restorer'],
      ['ALTER ROLE restorer INHERIT', 'REVOKE CONNECT ON DATABASE shop FROM restorer'],
      [{ reason: 'RightMissing', hint: 'ALTER ROLE "restorer" INHERIT;' }],
    ],
    [
      'ownership, where a superuser owns the database',
      ['ALTER DATABASE shop OWNER TO postgres', 'GRANT CONNECT ON DATABASE shop TO restorer'],
      ['ALTER DATABASE shop OWNER TO app', 'REVOKE CONNECT ON DATABASE shop FROM restorer'],
      [
        {
          reason: 'RightMissing',
          hint: 'ALTER DATABASE "shop" OWNER TO "restorer"; (membership in a superuser would give away the server)',
        },
      ],
    ],
    [
      'CONNECT',
      ['REVOKE ALL ON DATABASE shop FROM app'],
      ['GRANT ALL ON DATABASE shop TO app'],
      [{ reason: 'RightMissing', hint: 'GRANT CONNECT ON DATABASE "shop" TO "restorer";' }],
    ],
    [
      'a setting that only a superuser may give',
      ['ALTER DATABASE shop SET log_min_duration_statement = 100'],
      ['ALTER DATABASE shop RESET log_min_duration_statement'],
      [{ reason: 'RightMissing', hint: 'GRANT SET ON PARAMETER "log_min_duration_statement" TO "restorer";' }],
    ],
    [
      'a setting of an app',
      ['ALTER DATABASE shop SET my.tenant = 7'],
      ['ALTER DATABASE shop RESET my.tenant'],
      [{ reason: 'RightMissing', hint: 'GRANT SET ON PARAMETER "my.tenant" TO "restorer";' }],
    ],
    [
      'a setting of another role',
      ['ALTER ROLE reader IN DATABASE shop SET work_mem = 64'],
      ['ALTER ROLE reader IN DATABASE shop RESET work_mem'],
      [{ reason: 'RightMissing', hint: 'ALTER ROLE "restorer" CREATEROLE;' }],
    ],
  ])('%s', async (_, breaks, mends, expected) => {
    await asSuperuser(...breaks);
    try {
      expect(await refusals()).toEqual(expected.map((refusal) => expect.objectContaining(refusal)));
    } finally {
      await asSuperuser(...mends);
    }
    expect(await refusals()).toEqual([]);
  });

  test.each([
    ['log_min_duration_statement', '100'],
    ['my.tenant', '7'],
  ])('the statement for setting %s helps', async (name, value) => {
    await asSuperuser(`ALTER DATABASE shop SET ${name} = ${value}`);
    const [refusal] = await refusals();
    await asSuperuser(refusal!.hint!);
    expect(await refusals()).toEqual([]);
    await asSuperuser(`ALTER DATABASE shop RESET ${name}`, `REVOKE SET ON PARAMETER ${name} FROM restorer`);
  });
});

describe('sessions of the live database', () => {
  test.each([
    [
      'of a stranger are a refusal until pg_signal_backend is granted',
      'reader',
      'RightMissing',
      'GRANT pg_signal_backend TO "restorer";',
    ],
    ['of a superuser are a refusal that names them', 'postgres', 'SessionsInTheWay', 'pg_terminate_backend'],
  ])('%s', async (_, who, reason, hint) => {
    const client = world.client(
      'shop',
      who === 'reader' ? { username: 'reader', password: PASSWORD } : world.superuser,
    );
    await client.connect();
    const [refusal, ...others] = await refusals();
    expect(others).toEqual([]);
    expect(refusal).toMatchObject({
      reason,
      message: expect.stringContaining(`test of role "${who}"`),
      hint: expect.stringContaining(hint),
    });
    expect(await refusals('shop', {}, world.superuser)).toEqual([]);
    await asSuperuser('GRANT pg_signal_backend TO restorer');
    expect((await refusals()).map((found) => found.reason)).toEqual(who === 'reader' ? [] : ['SessionsInTheWay']);
    await asSuperuser('REVOKE pg_signal_backend FROM restorer');
    await client.end();
  });

  test('of a superuser that comes while a role is at its swap make it give up, with the old database live', async () => {
    const before = await world.print('shop');
    const request = requestFor(archive, 'shop');
    await using target = await postgres.openTarget(world.access('shop'), restorer, request, world.context);
    await loadInto(target, archive);
    const client = world.client('shop');
    await client.connect();
    await expect(target.swap(inTheFuture())).rejects.toMatchObject({
      reason: 'SessionsRemain',
      message: expect.stringContaining('test of role "postgres"'),
    });
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    await target.dropScratch();
    expect(await world.print('shop')).toEqual(before);
  }, 60_000);
});

describe('what else stands in the way is said by name', () => {
  test.each<[string, string, string[], string[]]>([
    [
      'LogicalReplication',
      'shop',
      [`SELECT pg_create_logical_replication_slot('cdc', 'pgoutput')`],
      [`SELECT pg_drop_replication_slot('cdc')`],
    ],
    [
      'LogicalReplication',
      'shop',
      [`CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)`],
      ['ALTER SUBSCRIPTION sub SET (slot_name = NONE)', 'DROP SUBSCRIPTION sub'],
    ],
    [
      'PreparedTransactions',
      'shop',
      ['BEGIN', 'CREATE TABLE p (a int)', `PREPARE TRANSACTION 'half'`],
      [`ROLLBACK PREPARED 'half'`],
    ],
    [
      'DatabaseIsTemplate',
      'postgres',
      ['ALTER DATABASE shop IS_TEMPLATE true'],
      ['ALTER DATABASE shop IS_TEMPLATE false'],
    ],
    [
      'DatabaseClosed',
      'postgres',
      ['ALTER DATABASE shop ALLOW_CONNECTIONS false'],
      ['ALTER DATABASE shop ALLOW_CONNECTIONS true'],
    ],
  ])('%s', async (reason, database, breaks, mends) => {
    await world.sql(database, ...breaks);
    try {
      expect((await refusals()).map((refusal) => refusal.reason)).toEqual([reason]);
    } finally {
      await world.sql(database, ...mends);
    }
    expect(await refusals()).toEqual([]);
  });

  test('a database with objects in it, when it is not to be replaced', async () => {
    expect(await refusals('shop', { onConflict: 'Fail' })).toEqual([
      expect.objectContaining({ reason: 'TargetNotEmpty' }),
    ]);
  });

  test('an archive of a newer server', async () => {
    expect(await refusals('shop', { sourceMajor: world.server.major + 1 })).toEqual([
      expect.objectContaining({ reason: 'VersionOlder' }),
    ]);
  });

  test('a name that PostgreSQL would cut', async () => {
    expect(await refusals('é'.repeat(32))).toEqual([expect.objectContaining({ reason: 'NameTooLong' })]);
  });

  test('roles and tablespaces of the archive that this server does not have', async () => {
    const { contents } = requestFor(archive, 'new');
    const properties = {
      ...contents.properties,
      owner: 'nobody',
      tablespace: 'nowhere',
      acl: ['"who else"=c/nobody'],
      settings: [{ role: 'a third', name: 'work_mem', value: '1' }],
    };
    const found = await refusals('new', { contents: { ...contents, properties } });
    expect(found.map(({ reason, message }) => `${reason} ${/"([^"]+)"/.exec(message)?.[1]}`)).toEqual([
      'RoleMissing nobody',
      'RoleMissing a third',
      'RoleMissing who else',
      'TablespaceMissing nowhere',
    ]);
  });

  test('a database of somebody else under one of our names', async () => {
    const request = requestFor(archive, 'shop');
    await asSuperuser(`CREATE DATABASE "${request.scratchDatabase}"`, `CREATE DATABASE "${request.previousDatabase}"`);
    expect((await refusals('shop', request)).map(({ reason }) => reason)).toEqual(['NameTaken', 'NameTaken']);
    await using target = await postgres.openTarget(world.access('shop'), world.superuser, request, world.context);
    await target.dropScratch();
    await target.dropPrevious();
    await expect(target.createScratch(archive.properties)).rejects.toMatchObject({ reason: 'ScratchFailed' });
    expect(await world.databases()).toEqual(
      expect.arrayContaining([request.scratchDatabase, request.previousDatabase]),
    );
  });

  test('text that the live database cannot hold', async () => {
    await asSuperuser(
      `CREATE DATABASE latin OWNER app TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    expect(await refusals('latin')).toEqual([expect.objectContaining({ reason: 'EncodingMismatch' })]);
  });
});
