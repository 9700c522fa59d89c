import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { numberedDatabaseName, scratchDatabaseName } from '../../src/api/names.ts';
import type { ServerAccess } from '../../src/api/task.ts';
import type { DatabaseContents, InstanceContents } from '../../src/archive/contents.ts';
import type { InstanceRequest, Login } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import type { InstanceChildOrder } from '../support/postgres-instance-child.ts';
import { sessionsGone } from '../support/postgres-sessions.ts';
import {
  aRestore,
  dumpOf,
  inTheFuture,
  PASSWORD,
  type PostgresWorld,
  postgresWorld,
} from '../support/postgres-world.ts';

let world: PostgresWorld;
let access: ServerAccess;
let contents: InstanceContents;
/** Of each database before anything happened to it. */
let old: Fingerprint[];
/** What {@link loaded} made. */
let made: Pick<Fingerprint, 'rows' | 'schema'>;

const NAMES = ['one', 'two'];

beforeAll(async () => {
  world = await postgresWorld();
  access = world.serverAccess;
  const databases: DatabaseContents[] = [];
  old = [];
  for (const name of NAMES) {
    await world.sql('postgres', `CREATE DATABASE ${name}`);
    await world.sql(name, `CREATE TABLE word AS SELECT 'old' AS says`);
    old.push(await world.print(name));
    const { properties } = await dumpOf(world, name);
    databases.push({ database: name, properties, tables: [], parts: [] as unknown as DatabaseContents['parts'] });
  }
  const role = { superuser: false, inherit: true, createRole: false, createDatabases: false, login: true };
  contents = {
    formatVersion: 1,
    scope: 'Instance',
    databases,
    skipped: [],
    globals: { part: 3, tool: 'pg_dumpall', format: 'sql', plain: { size: 0, sha256: '' }, rolePasswords: false },
    roles: [
      {
        ...role,
        name: 'new role',
        replication: false,
        bypassRowSecurity: false,
        connectionLimit: -1,
        comment: 'its own',
        settings: [],
      },
    ],
    memberships: [],
    tablespaces: [],
    recipe: [],
  };
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

function aRequest(): InstanceRequest {
  const run = aRestore();
  return {
    run,
    onConflict: 'Replace',
    scratchDatabase: scratchDatabaseName(run),
    sourceMajor: world.server.major,
    contents,
  };
}

/** Roles made and every scratch database there, with a word of its own in it. */
async function loaded(login: Login = world.superuser, request = aRequest()): Promise<InstanceRequest> {
  await using target = await postgres.openInstanceTarget(access, login, request, world.context);
  await target.makeRoles();
  for (const [index, { database, properties }] of target.databases.entries()) {
    await target.database(database).createScratch(properties);
    const scratch = numberedDatabaseName(request.scratchDatabase, index);
    await world.sql(scratch, `CREATE TABLE word AS SELECT 'new' AS says`);
    const { rows, schema } = await world.print(scratch);
    made = { rows, schema };
  }
  return request;
}

const cleanup = ({ run, scratchDatabase }: InstanceRequest, dropPrevious = false) => ({
  command: 'cleanup' as const,
  run,
  database: access,
  scratchDatabase,
  previousDatabase: 'unused',
  dropPrevious,
  keepScratch: false,
});

const prints = () => Promise.all(NAMES.map(world.print));

/** What is of the databases themselves is as ever. */
async function expectNew(): Promise<void> {
  expect(await prints()).toEqual(old.map(({ database }) => ({ ...made, database })));
}

const newRole = () =>
  world.sql(
    'postgres',
    `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = 'new role'`,
  );

async function runChild(order: Pick<InstanceChildOrder, 'request' | 'statement'>): Promise<string> {
  const child = spawn(process.execPath, ['test/support/postgres-instance-child.ts'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { temporary } = world.context;
  const whole = { access, login: world.superuser, temporary, fence: inTheFuture().toISOString(), ...order };
  child.stdin.end(JSON.stringify(whole));
  const said = await text(child.stdout);
  await sessionsGone(world);
  return said;
}

describe('a whole server', () => {
  test('whose runner is killed before any statement of the swap is as it was, all of it, and a clean-up leaves nothing else', async () => {
    const before = await world.databases();
    for (let statement = 0; ; statement += 1) {
      const request = await loaded();
      const said = await runChild({ request, statement });
      if (said !== '') {
        // BEGIN, settings, two renames of each, four notes and doors of each, the role's comment, COMMIT.
        expect(said).toBe('swapped after 16 statements\n');
        await expectNew();
        expect(await newRole()).toEqual([{ comment: 'its own' }]);
        const kept = await postgres.cleanUp(cleanup(request), world.superuser, world.context);
        expect(kept).toMatchObject({ restored: true });
        expect(kept.previousDatabases).toHaveLength(2);
        expect(await postgres.cleanUp(cleanup(request, true), world.superuser, world.context)).toEqual({
          restored: true,
          previousDatabases: [],
        });
        expect(await world.databases()).toEqual(before);
        expect(await newRole()).toEqual([{ comment: 'its own' }]);
        return;
      }
      expect(await prints()).toEqual(old);
      expect(await postgres.cleanUp(cleanup(request), world.superuser, world.context)).toEqual({
        restored: false,
        previousDatabases: [],
      });
      expect(await world.databases()).toEqual(before);
      expect(await newRole()).toEqual([]);
    }
  }, 180_000);

  test('of which a database is renamed while others are dumped fails, and one that is dropped does not', async () => {
    await world.sql('postgres', 'CREATE DATABASE moved', 'CREATE DATABASE dropped');
    await using source = await postgres.openInstanceSource(access, world.superuser, world.context);
    await world.sql('postgres', 'ALTER DATABASE moved RENAME TO elsewhere', 'DROP DATABASE dropped');
    await expect(source.database('moved')).rejects.toMatchObject({
      reason: 'DatabaseRenamed',
      message: 'database "moved" was renamed to "elsewhere" during the backup',
    });
    expect(await source.database('dropped')).toBeUndefined();
    await world.sql('postgres', 'DROP DATABASE elsewhere');
  }, 60_000);

  test('whose previous database a person renamed back keeps it when the others are dropped', async () => {
    const request = await loaded();
    await using target = await postgres.openInstanceTarget(access, world.superuser, request, world.context);
    const { previousDatabases } = await target.swap(inTheFuture());
    await expectNew();
    const previous = previousDatabases.find((name) => name.startsWith('one_')) ?? '';
    await world.sql(
      'postgres',
      'DROP DATABASE one',
      `ALTER DATABASE "${previous}" RENAME TO one`,
      'ALTER DATABASE one ALLOW_CONNECTIONS true',
    );
    await target[Symbol.asyncDispose]();
    expect(await postgres.cleanUp(cleanup(request, true), world.superuser, world.context)).toEqual({
      restored: true,
      previousDatabases: [],
    });
    expect(await world.databases()).toEqual(expect.arrayContaining(NAMES));
    expect(await world.databases()).not.toContain(previousDatabases.find((name) => name.startsWith('two_')));
    await using source = await postgres.openInstanceSource(access, world.superuser, world.context);
    expect(source.databases).toContain('one');
    await world.sql('postgres', 'DROP ROLE IF EXISTS "new role"');
  }, 60_000);

  test('whose roles have what this server does not know is refused before anything is done', async () => {
    await world.sql('postgres', 'DROP ROLE IF EXISTS "new role"');
    const [role] = contents.roles;
    if (role === undefined) throw new Error('there is one');
    const settings = [{ name: 'of_another_version', value: '1' }];
    const request = { ...aRequest(), contents: { ...contents, roles: [{ ...role, settings }] } };
    await using target = await postgres.openInstanceTarget(access, world.superuser, request, world.context);
    expect((await target.plan()).refusals).toMatchObject([
      { reason: 'RolesFailed', message: expect.stringContaining('of_another_version') },
    ]);
    expect(await newRole()).toEqual([]);
  });

  test('has the end of a password in a form that every server reads in the same way', async () => {
    await world.sql(
      'postgres',
      `CREATE ROLE brief VALID UNTIL '2033-02-01 00:00:00+00'`,
      `ALTER ROLE CURRENT_USER SET datestyle = 'SQL, DMY'`,
    );
    try {
      await using source = await postgres.openInstanceSource(access, world.superuser, world.context);
      const { roles } = await source.describe();
      expect(roles.find(({ name }) => name === 'brief')?.validUntil).toMatch(/^2033-0[12]-[03]1 /);
    } finally {
      await world.sql('postgres', 'ALTER ROLE CURRENT_USER RESET datestyle', 'DROP ROLE brief');
    }
  });

  test('is not put live after the fence', async () => {
    const before = await prints();
    const request = await loaded();
    await using target = await postgres.openInstanceTarget(access, world.superuser, request, world.context);
    await expect(target.swap(new Date(0))).rejects.toMatchObject({ reason: 'FencePassed' });
    expect(await prints()).toEqual(before);
    await postgres.cleanUp(cleanup(request), world.superuser, world.context);
  });

  test('is restored by a role that is no superuser where it has the rights, and is told what is missing where not', async () => {
    await world.sql('postgres', 'DROP ROLE IF EXISTS "new role"');
    const login = await world.role('restorer', 'CREATEDB');
    expect(login.password).toBe(PASSWORD);
    for (const name of NAMES) await world.sql('postgres', `ALTER DATABASE ${name} OWNER TO restorer`);
    const refusals = async () => {
      await using target = await postgres.openInstanceTarget(access, login, aRequest(), world.context);
      return (await target.plan()).refusals.map(({ hint }) => hint);
    };
    expect(await refusals()).toEqual(['ALTER ROLE "restorer" CREATEROLE; or make them beforehand']);
    await world.sql('postgres', 'ALTER ROLE restorer CREATEROLE');
    expect(await refusals()).toEqual([]);
    // A database that is gone, and belonged to a role that is gone.
    await world.sql('postgres', 'DROP DATABASE two');
    const databases = contents.databases.map((each) =>
      each.database === 'two' ? { ...each, properties: { ...each.properties, owner: 'new role' } } : each,
    );
    const request = await loaded(login, { ...aRequest(), contents: { ...contents, databases } });
    await using target = await postgres.openInstanceTarget(access, login, request, world.context);
    await target.swap(inTheFuture());
    expect(await prints()).toMatchObject([
      { ...made, database: { owner: 'restorer' } },
      { ...made, database: { owner: 'new role' } },
    ]);
    expect(await newRole()).toEqual([{ comment: 'its own' }]);
  }, 60_000);
});
