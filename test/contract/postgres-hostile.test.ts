/** Archives that somebody made to do harm: what they can run, as whom, and that nothing of it leaves the restored database. */
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { standing } from '../../src/api/force.ts';
import type { Login, TargetRequest } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import {
  type Archive,
  aRestore,
  dumpOf,
  inTheFuture,
  loadInto,
  type PostgresWorld,
  postgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

let world: PostgresWorld;
/** As the documentation asks for it, and a member of the role that is to own what is restored. */
let loader: Login;
let folder: string;
/** A program that the archive starts would make it. */
let sentinel: string;

beforeAll(async () => {
  world = await postgresWorld();
  loader = await world.role('loader', 'CREATEDB');
  await world.sql('postgres', 'CREATE ROLE confined', 'GRANT confined TO loader', 'CREATE ROLE victim');
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-sentinel-'));
  // The server is another user of the machine.
  await chmod(folder, 0o777);
  sentinel = join(folder, 'ran');
  await world.sql('postgres', 'CREATE DATABASE evil');
});

afterEach(async () => {
  await world.sql('postgres', 'DROP DATABASE IF EXISTS evil WITH (FORCE)', 'DROP DATABASE IF EXISTS good WITH (FORCE)');
  await rm(folder, { recursive: true, force: true });
});

/** Runs a program on the server, as whoever it can become. */
const RUN = `EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch SENTINEL''';`;

const confined = { owner: 'confined', privileges: 'Skip' } as const satisfies Partial<TargetRequest>;

/** Plan, load and swap; what is there then is what was there, but for whose it is where the restore says so. */
async function restoreAs(login: Login, archive: Archive, over: Partial<TargetRequest> = confined) {
  const request = requestFor(archive, 'good', { run: aRestore(), ...over });
  await using target = await postgres.openTarget(world.access('good'), login, request, world.context);
  const { refusals } = await target.plan();
  const [first] = standing(refusals, request.force);
  if (first !== undefined) throw Object.assign(new Error(first.message), first);
  try {
    await loadInto(target, archive);
    await target.swap(inTheFuture());
  } catch (caught) {
    await target.dropScratch();
    throw caught;
  }
  const [good, evil] = await Promise.all(['good', 'evil'].map(world.print));
  expect(withoutWhose(good!, over)).toEqual(withoutWhose(evil!, over));
}

/** The settings of the database are what each test is about. */
function withoutWhose({ database, ...print }: Fingerprint, { owner, privileges }: Partial<TargetRequest>): unknown {
  const gone = [...(owner === undefined ? [] : ['owner']), ...(privileges === undefined ? [] : ['privileges'])];
  const { settings: _, ...properties } = database as Record<string, unknown>;
  return JSON.parse(
    JSON.stringify({ ...print, database: properties }, (key, value) => (gone.includes(key) ? undefined : value)),
  );
}

/** What of an archive is evaluated while it is loaded. */
const CODE_IN: readonly [string, ...string[]][] = [
  ['a check constraint', 'CREATE TABLE t (a int CHECK (evil(a)))', 'INSERT INTO t VALUES (1)'],
  ['an index', 'CREATE TABLE t (a int)', 'INSERT INTO t VALUES (1)', 'CREATE INDEX ON t (evil(a))'],
  [
    'a generated column',
    'CREATE TABLE t (a int, b boolean GENERATED ALWAYS AS (evil(a)) STORED)',
    'INSERT INTO t VALUES (1)',
  ],
  ['a domain', 'CREATE DOMAIN d AS int CHECK (evil(VALUE))', 'CREATE TABLE t (a d)', 'INSERT INTO t VALUES (1)'],
  ['a materialized view', 'CREATE MATERIALIZED VIEW t AS SELECT evil(1)'],
];

/** While the trap is laid it does nothing. Only what calls itself immutable may be in an index, and only what does not may act. */
async function anArchiveWith(code: readonly string[], act = RUN): Promise<Archive> {
  await world.sql(
    'evil',
    `CREATE FUNCTION act() RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
      IF current_setting('bait.off', true) = 'on' THEN RETURN true; END IF;
      ${act.replace('SENTINEL', sentinel)}
      RETURN true;
    END $f$`,
    `CREATE FUNCTION evil(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.act(); END'`,
    'SET bait.off = on',
    ...code,
  );
  return await dumpOf(world, 'evil');
}

test('the traps are real: a superuser that keeps the owners runs the program, and is warned beforehand', async () => {
  const archive = await anArchiveWith(CODE_IN[0]!.slice(1));
  const request = requestFor(archive, 'good');
  {
    await using target = await postgres.openTarget(world.access('good'), world.superuser, request, world.context);
    expect((await target.plan()).warnings).toEqual([expect.stringContaining('"postgres" is a superuser')]);
  }
  await restoreAs(world.superuser, archive, {});
  expect(existsSync(sentinel)).toBe(true);
}, 60_000);

test('a role alone is no wall: loaded by a superuser in its name, the archive takes the superuser back', async () => {
  const archive = await anArchiveWith(CODE_IN[0]!.slice(1), `EXECUTE 'RESET ROLE'; ${RUN}`);
  const request = requestFor(archive, 'good', confined);
  // Without its plan, which would refuse it.
  await using target = await postgres.openTarget(world.access('good'), world.superuser, request, world.context);
  await loadInto(target, archive);
  await target.dropScratch();
  expect(existsSync(sentinel)).toBe(true);
}, 60_000);

describe('given to a role, an archive runs its code as that role and reaches nothing of the server', () => {
  test.each(CODE_IN.map(([where, ...code]) => [where, code] as const))(
    'with %s',
    async (_, code) => {
      const archive = await anArchiveWith(code);
      await expect(restoreAs(loader, archive)).rejects.toMatchObject({
        reason: 'LoadFailed',
        message: expect.stringMatching(/COPY to or from an external program/),
        hint: expect.stringContaining('role "confined" loads it'),
      });
      expect(existsSync(sentinel)).toBe(false);
      expect(await world.databases()).not.toContain('good');
    },
    60_000,
  );

  test('also where it takes back the rights of the login', async () => {
    const archive = await anArchiveWith(
      CODE_IN[0]!.slice(1),
      `EXECUTE 'RESET ROLE'; EXECUTE 'SET SESSION AUTHORIZATION DEFAULT'; ${RUN}`,
    );
    await expect(restoreAs(loader, archive)).rejects.toMatchObject({ reason: 'LoadFailed' });
    expect(existsSync(sentinel)).toBe(false);
  }, 60_000);
});

describe('whoever could be made to do more is refused beforehand', () => {
  const refusalsFor = async (login: Login, owner: string) => {
    const archive = await dumpOf(world, 'evil');
    const request = requestFor(archive, 'good', { owner });
    await using target = await postgres.openTarget(world.access('good'), login, request, world.context);
    return (await target.plan()).refusals;
  };

  test('a superuser as login', async () => {
    expect(await refusalsFor(world.superuser, 'confined')).toEqual([
      {
        reason: 'TooMighty',
        message: expect.stringContaining('"postgres" is one of them'),
        hint: expect.stringContaining('GRANT "confined" TO "holdfast_load"'),
      },
    ]);
  });

  test.each([
    ['a member of a superuser', 'GRANT postgres TO mighty'],
    ['a role that makes roles', 'ALTER ROLE mighty CREATEROLE'],
    ['one that runs programs on the server', 'GRANT pg_execute_server_program TO mighty'],
    ['one that reads its files', 'GRANT pg_read_server_files TO mighty'],
  ])('%s, as login and as owner', async (_, grant) => {
    const mighty = await world.role('mighty', 'CREATEDB');
    try {
      await world.sql('postgres', 'GRANT confined TO mighty', 'GRANT mighty TO loader', grant);
      const reasons = (found: Awaited<ReturnType<typeof refusalsFor>>) => found.map(({ reason }) => reason);
      expect(reasons(await refusalsFor(mighty, 'confined'))).toEqual(['TooMighty']);
      // The login is a member of the owner, and so of all that the owner is one of.
      expect(reasons(await refusalsFor(loader, 'mighty'))).toEqual(['TooMighty', 'TooMighty']);
    } finally {
      await world.sql('postgres', 'DROP ROLE mighty');
    }
  });

  test('an owner that is not there, and one that the login is no member of', async () => {
    expect(await refusalsFor(loader, 'nobody')).toEqual([
      { reason: 'RoleMissing', message: expect.stringContaining('ownership names'), hint: 'CREATE ROLE "nobody";' },
    ]);
    expect(await refusalsFor(loader, 'victim')).toEqual([
      {
        reason: 'RightMissing',
        message: expect.stringContaining('which is to own the database'),
        hint: expect.stringContaining('GRANT "victim" TO "loader"'),
      },
    ]);
  });
});

describe('what only a superuser may make ends the load, and says so', () => {
  test.each([
    [
      'an event trigger',
      'CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$',
      'CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch()',
    ],
    ['an extension that is not trusted', 'CREATE EXTENSION postgres_fdw'],
    ['a function in C', `CREATE FUNCTION evil() RETURNS int LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'`],
    ['a foreign data wrapper', 'CREATE FOREIGN DATA WRAPPER nowhere'],
  ])(
    '%s',
    async (_, ...makes) => {
      await world.sql('evil', ...makes);
      await expect(restoreAs(loader, await dumpOf(world, 'evil'))).rejects.toMatchObject({
        reason: 'LoadFailed',
        hint: expect.stringContaining('only a superuser may make'),
      });
      expect(await world.databases()).not.toContain('good');
    },
    60_000,
  );
});

test('names that psql would take for a command are names', async () => {
  const name = `x\n\\! touch ${sentinel}\n`;
  const quoted = `"${name}"`;
  await world.sql(
    'evil',
    `CREATE SCHEMA ${quoted}`,
    `CREATE TABLE ${quoted}.${quoted} (${quoted} int)`,
    `INSERT INTO ${quoted}.${quoted} VALUES (7)`,
    `COMMENT ON TABLE ${quoted}.${quoted} IS '${name}'`,
  );
  await restoreAs(loader, await dumpOf(world, 'evil'));
  expect(await world.sql('good', `SELECT * FROM ${quoted}.${quoted}`)).toEqual([{ [name]: 7 }]);
  expect(existsSync(sentinel)).toBe(false);
}, 60_000);

describe('what is given to a role is its own', () => {
  const aShop = async () => {
    await world.sql(
      'evil',
      'ALTER DATABASE evil OWNER TO victim',
      'GRANT CONNECT ON DATABASE evil TO victim',
      `ALTER DATABASE evil SET work_mem = '9MB'`,
      `ALTER ROLE victim IN DATABASE evil SET work_mem = '8MB'`,
      'CREATE SCHEMA s AUTHORIZATION victim',
      'CREATE TABLE s.t (a int)',
      'ALTER TABLE s.t OWNER TO victim',
      'GRANT SELECT ON s.t TO PUBLIC',
      'INSERT INTO s.t VALUES (1)',
      'CREATE SEQUENCE q',
      'CREATE EXTENSION hstore',
    );
    return await dumpOf(world, 'evil');
  };
  const owners = () =>
    world.sql(
      'good',
      `SELECT DISTINCT pg_get_userbyid(owner) AS owner FROM (
         SELECT datdba FROM pg_database WHERE datname = 'good'
         UNION SELECT relowner FROM pg_class WHERE oid >= 16384 AND relnamespace <> 99
         UNION SELECT nspowner FROM pg_namespace WHERE nspname = 's'
         UNION SELECT extowner FROM pg_extension WHERE extname = 'hstore') AS all_of_it (owner)`,
    );

  test('database, schemas, tables and extensions; nothing is granted, and no role of the archive is named', async () => {
    await restoreAs(loader, await aShop());
    expect(await owners()).toEqual([{ owner: 'confined' }]);
    expect(await world.sql('good', 'SELECT * FROM s.t')).toEqual([{ a: 1 }]);
    expect(await world.sql('good', `SELECT relacl FROM pg_class WHERE relname = 't'`)).toEqual([{ relacl: null }]);
    const settings = `SELECT setrole, setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = 'good'`;
    expect(await world.sql('good', settings)).toEqual([{ setrole: 0, setconfig: ['work_mem=9MB'] }]);
  }, 60_000);

  test('also where it takes the place of a database of somebody else, whose privileges and settings stay', async () => {
    const archive = await aShop();
    await world.sql(
      'postgres',
      'CREATE DATABASE good OWNER victim',
      'REVOKE ALL ON DATABASE good FROM PUBLIC',
      'GRANT CONNECT ON DATABASE good TO loader',
      `ALTER DATABASE good SET work_mem = '7MB'`,
      'GRANT victim TO loader',
    );
    try {
      await restoreAs(loader, archive);
      expect(await owners()).toEqual([{ owner: 'confined' }]);
      const [row] = await world.sql('postgres', `SELECT datacl::text[] AS acl FROM pg_database WHERE datname = 'good'`);
      expect(row?.['acl']).toEqual(expect.arrayContaining(['confined=CTc/confined', 'loader=c/confined']));
      expect(row?.['acl']).toHaveLength(2);
    } finally {
      await world.sql('postgres', 'REVOKE victim FROM loader');
    }
  }, 60_000);

  test('a setting that its role may not give is a refusal, though the login may', async () => {
    await world.sql('postgres', `GRANT SET ON PARAMETER log_min_duration_statement TO loader`).catch(() => {});
    await world.sql('evil', 'ALTER DATABASE evil SET log_min_duration_statement = 7');
    await expect(restoreAs(loader, await dumpOf(world, 'evil'))).rejects.toMatchObject({ reason: 'RightMissing' });
  }, 60_000);

  test('what the code of an archive sets for the database while it is loaded goes', async () => {
    const archive = await anArchiveWith(
      CODE_IN[0]!.slice(1),
      `EXECUTE pg_catalog.format('ALTER DATABASE %I SET search_path = evil', pg_catalog.current_database());`,
    );
    await restoreAs(loader, archive);
    const settings = `SELECT setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = 'good'`;
    expect(await world.sql('good', settings)).toEqual([]);
  }, 60_000);

  test('with privileges skipped alone, owners stay and nothing is granted', async () => {
    await world.sql('postgres', 'GRANT victim TO loader');
    try {
      await world.sql(
        'evil',
        'CREATE TABLE t (a int)',
        'ALTER TABLE t OWNER TO victim',
        'GRANT SELECT ON t TO PUBLIC',
        'ALTER DATABASE evil OWNER TO victim',
        'GRANT CREATE ON DATABASE evil TO PUBLIC',
      );
      await restoreAs(loader, await dumpOf(world, 'evil'), { privileges: 'Skip' });
      const [row] = await world.sql(
        'good',
        `SELECT relacl, pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relname = 't'`,
      );
      expect(row).toEqual({ relacl: null, owner: 'victim' });
      const [database] = await world.sql('good', `SELECT has_database_privilege('confined', 'good', 'CREATE') AS may`);
      expect(database).toEqual({ may: false });
    } finally {
      await world.sql('postgres', 'REVOKE victim FROM loader');
    }
  }, 60_000);
});
