import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Login, TargetRequest } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { localPostgres } from '../cluster/postgres.ts';
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

test('the owner alone is enough for both, once it may create databases: large objects and row security included', async () => {
  const owner = await world.role('owner', 'CREATEDB');
  await anExampleDatabase(world, 'own', { owner: 'owner', superuserThings: false });
  const before = await world.print('own');
  const own = await dumpOf(world, 'own', owner);
  await world.sql('own', 'DROP TABLE person CASCADE', 'SELECT lo_unlink(4711)');
  const request = requestFor(own, 'own');
  await using target = await postgres.openTarget(world.access('own'), owner, request, world.context);
  expect((await target.plan()).refusals).toEqual([]);
  await loadInto(target, own);
  await target.swap(inTheFuture());
  expect(await world.print('own')).toEqual(before);
}, 60_000);

interface MissingRight {
  readonly right: string;
  readonly taken: readonly string[];
  /** The hint, which must help when it is run. */
  readonly hint: string;
  /** Back to how it was, beyond what the hint did. */
  readonly after: readonly string[];
}

const CONNECT = 'GRANT CONNECT ON DATABASE shop TO restorer';
const NO_CONNECT = 'REVOKE CONNECT ON DATABASE shop FROM restorer';

/** From 16 on, each membership says what it is good for; before, the role that has it does. */
const missingRights = (modern: boolean): readonly MissingRight[] => [
  {
    right: 'CREATEDB',
    taken: ['ALTER ROLE restorer NOCREATEDB'],
    hint: 'ALTER ROLE "restorer" CREATEDB;',
    after: [],
  },
  {
    right: 'membership in the owner',
    taken: ['REVOKE app FROM restorer', CONNECT],
    hint: modern ? 'GRANT "app" TO "restorer" WITH INHERIT TRUE, SET TRUE;' : 'GRANT "app" TO "restorer";',
    after: [NO_CONNECT],
  },
  {
    right: 'the use of that membership',
    taken: [modern ? 'GRANT app TO restorer WITH INHERIT FALSE' : 'ALTER ROLE restorer NOINHERIT', CONNECT],
    hint: modern ? 'GRANT "app" TO "restorer" WITH INHERIT TRUE, SET TRUE;' : 'ALTER ROLE "restorer" INHERIT;',
    after: [NO_CONNECT],
  },
  {
    right: 'ownership, where a superuser owns the database',
    taken: ['ALTER DATABASE shop OWNER TO postgres', CONNECT],
    hint: 'ALTER DATABASE "shop" OWNER TO "restorer"; -- membership in a superuser would give away the server',
    after: ['ALTER DATABASE shop OWNER TO app', NO_CONNECT],
  },
  {
    right: 'CONNECT',
    taken: ['REVOKE ALL ON DATABASE shop FROM app'],
    hint: 'GRANT CONNECT ON DATABASE "shop" TO "restorer";',
    after: ['GRANT ALL ON DATABASE shop TO app', NO_CONNECT],
  },
  {
    right: 'a setting that only a superuser may give',
    taken: ['ALTER DATABASE shop SET log_min_duration_statement = 100'],
    hint: 'GRANT SET ON PARAMETER "log_min_duration_statement" TO "restorer";',
    after: [
      'REVOKE SET ON PARAMETER log_min_duration_statement FROM restorer',
      'ALTER DATABASE shop RESET log_min_duration_statement',
    ],
  },
  {
    right: 'a setting of an app',
    taken: ['ALTER DATABASE shop SET my.tenant = 7'],
    hint: 'GRANT SET ON PARAMETER "my.tenant" TO "restorer";',
    after: ['REVOKE SET ON PARAMETER my.tenant FROM restorer', 'ALTER DATABASE shop RESET my.tenant'],
  },
  {
    right: 'a setting of another role',
    taken: ['ALTER ROLE reader IN DATABASE shop SET work_mem = 64'],
    hint: `ALTER ROLE "restorer" CREATEROLE;${modern ? ' GRANT "reader" TO "restorer" WITH ADMIN OPTION;' : ''}`,
    after: [
      'ALTER ROLE restorer NOCREATEROLE',
      'REVOKE reader FROM restorer',
      'ALTER ROLE reader IN DATABASE shop RESET work_mem',
    ],
  },
];

const rightNamed = (name: string) => missingRights(world.server.major >= 16).find(({ right }) => right === name)!;

describe('each right that is missing is a refusal, with the statement that grants it', () => {
  test.each(missingRights(true).map(({ right }) => right))('%s', async (name) => {
    const { taken, hint, after } = rightNamed(name);
    await asSuperuser(...taken);
    try {
      expect(await refusals()).toEqual([expect.objectContaining({ reason: 'RightMissing', hint })]);
      await asSuperuser(hint);
      expect(await refusals()).toEqual([]);
    } finally {
      await asSuperuser(hint, ...after);
    }
    expect(await refusals()).toEqual([]);
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

  test.each([
    ['an enum', `CREATE TYPE mood AS ENUM ('sad', 'glad')`],
    ['a domain', 'CREATE DOMAIN positive AS int CHECK (VALUE > 0)'],
    ['a row type', 'CREATE TYPE pair AS (a int, b int)'],
    ['a schema', 'CREATE SCHEMA app'],
    ['a collation', 'CREATE COLLATION mine FROM "C"'],
    ['an operator', 'CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4eq)'],
    ['a text search configuration', 'CREATE TEXT SEARCH CONFIGURATION words (COPY = pg_catalog.english)'],
    ['a publication', 'CREATE PUBLICATION everything FOR ALL TABLES'],
    ['a foreign data wrapper', 'CREATE FOREIGN DATA WRAPPER nowhere'],
    ['a cast', 'CREATE CAST (xml AS json) WITH INOUT'],
    ['a dictionary', 'CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = pg_catalog.simple)'],
    ['a foreign server', 'CREATE EXTENSION postgres_fdw', 'CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw'],
    [
      'an event trigger',
      // Its function goes to an extension, so that it does not count itself.
      'CREATE EXTENSION hstore',
      'CREATE FUNCTION nothing() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$',
      'ALTER EXTENSION hstore ADD FUNCTION nothing()',
      'CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION nothing()',
    ],
  ])('a database that has nothing but %s in it, when it is not to be replaced', async (_, ...makes) => {
    await asSuperuser('CREATE DATABASE sparse OWNER app');
    try {
      await world.sql('sparse', ...makes);
      expect(await refusals('sparse', { onConflict: 'Fail' })).toEqual([
        expect.objectContaining({ reason: 'TargetNotEmpty' }),
      ]);
    } finally {
      await asSuperuser('DROP DATABASE sparse WITH (FORCE)');
    }
  });

  test('but not a database that has only extensions in it, or a public schema of its own', async () => {
    await asSuperuser('CREATE DATABASE sparse OWNER app');
    try {
      await world.sql(
        'sparse',
        'DROP SCHEMA public',
        'CREATE SCHEMA public',
        'CREATE EXTENSION hstore',
        'CREATE EXTENSION citext',
        'CREATE EXTENSION postgres_fdw',
      );
      expect(await refusals('sparse', { onConflict: 'Fail' })).toEqual([]);
    } finally {
      await asSuperuser('DROP DATABASE sparse WITH (FORCE)');
    }
  });

  describe('a database that has nothing but extensions in it', () => {
    beforeAll(async () => {
      await asSuperuser('CREATE DATABASE sparse OWNER app');
      // What an extension's script does by pg_extension_config_dump.
      await world.sql(
        'sparse',
        'CREATE EXTENSION hstore',
        'CREATE TABLE "its conf" (id int, what text)',
        'ALTER EXTENSION hstore ADD TABLE "its conf"',
        'INSERT INTO "its conf" VALUES (1, \'its own\')',
        `UPDATE pg_extension SET extconfig = ARRAY['"its conf"'::regclass], extcondition = ARRAY['WHERE id > 1'] WHERE extname = 'hstore'`,
      );
    });
    afterAll(() => asSuperuser('DROP DATABASE sparse WITH (FORCE)'));
    const reasons = async (as = world.superuser) =>
      (await refusals('sparse', { onConflict: 'Fail' }, as)).map(({ reason }) => reason);

    test('is empty, whatever rows they brought along', async () => {
      expect(await reasons()).toEqual([]);
    });

    test('is not for a role that may not see which rows they are', async () => {
      expect(await reasons(restorer)).toEqual(['TargetNotEmpty']);
      await world.sql('sparse', 'GRANT SELECT ON "its conf" TO restorer');
      expect(await reasons(restorer)).toEqual([]);
    });

    test('nor where row security hides them', async () => {
      await world.sql('sparse', 'ALTER TABLE "its conf" ENABLE ROW LEVEL SECURITY');
      expect(await reasons(restorer)).toEqual(['TargetNotEmpty']);
      await world.sql('sparse', 'ALTER TABLE "its conf" DISABLE ROW LEVEL SECURITY');
    });

    test('nor once people keep rows in one of them', async () => {
      await world.sql('sparse', 'INSERT INTO "its conf" VALUES (7, \'a job of ours\')');
      expect(await reasons()).toEqual(['TargetNotEmpty']);
      await world.sql('sparse', 'DELETE FROM "its conf" WHERE id = 7');
      expect(await reasons()).toEqual([]);
    });
  });

  test('an archive of a newer server', async () => {
    expect(await refusals('shop', { sourceMajor: world.server.major + 1 })).toEqual([
      expect.objectContaining({ reason: 'Version' }),
    ]);
  });

  test('a standby', async () => {
    await using standby = await postgresWorld({}, (options) => localPostgres({ ...options, standby: true }));
    const request = requestFor(archive, 'new');
    await using target = await postgres.openTarget(standby.access('new'), standby.superuser, request, standby.context);
    expect((await target.plan()).refusals.map(({ reason }) => reason)).toContain('ReadOnlyServer');
  }, 60_000);

  test('the database that locks are held in', async () => {
    expect((await refusals('postgres')).map(({ reason }) => reason)).toContain('MaintenanceDatabase');
  });

  test('everything at once, each with its own next step', async () => {
    const client = world.client('shop', { username: 'reader', password: PASSWORD });
    await client.connect();
    await asSuperuser(
      'ALTER ROLE restorer NOCREATEDB',
      'REVOKE app FROM restorer',
      CONNECT,
      'ALTER DATABASE shop SET log_min_duration_statement = 100',
    );
    await world.sql('shop', `SELECT pg_create_logical_replication_slot('cdc', 'pgoutput')`);
    try {
      const found = await refusals('shop', { sourceMajor: world.server.major + 1, onConflict: 'Fail' });
      expect(found.map(({ reason }) => reason)).toEqual([
        'Version',
        'TargetNotEmpty',
        ...['RightMissing', 'RightMissing', 'RightMissing', 'RightMissing'],
        'LogicalReplication',
      ]);
      expect(found.map(({ hint }) => hint)).toEqual([
        `restore to a server of version ${world.server.major + 1} or newer`,
        expect.stringMatching(/^make a Restore with onConflict: Replace, with Skip/),
        ...['CREATEDB', 'membership in the owner', 'a setting that only a superuser may give'].map(
          (right) => rightNamed(right).hint,
        ),
        'GRANT pg_signal_backend TO "restorer";',
        `SELECT pg_drop_replication_slot('cdc');`,
      ]);
    } finally {
      await client.end();
      await world.sql('shop', `SELECT pg_drop_replication_slot('cdc')`);
      await asSuperuser(
        'ALTER ROLE restorer CREATEDB',
        'GRANT app TO restorer',
        NO_CONNECT,
        'ALTER DATABASE shop RESET log_min_duration_statement',
      );
    }
    expect(await refusals()).toEqual([]);
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
      publicSchemaOwner: 'a fourth',
    };
    const found = await refusals('new', { contents: { ...contents, properties } });
    expect(found.map(({ reason, message }) => `${reason} ${/"([^"]+)"/.exec(message)?.[1]}`)).toEqual([
      'RoleMissing nobody',
      'RoleMissing a fourth',
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
    // The scratch name has the UID of this restore in it, and past its plan nobody else's database bears it.
    await target.dropPrevious();
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
