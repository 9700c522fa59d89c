/** What is in the databases of a server belongs to many: a restore of all of it says beforehand whose rights it lacks. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { scratchDatabaseName } from '../../src/api/names.ts';
import type { InstanceContents } from '../../src/archive/contents.ts';
import type { InstanceTarget, Login } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import { beginOf, feed } from '../support/postgres-in-place.ts';
import {
  type Archive,
  aRestore,
  dumpOf,
  inTheFuture,
  type PostgresWorld,
  postgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

let world: PostgresWorld;
/** May make roles and databases, and has the rights of all who own something and stay. */
let restorer: Login;
let archives: ReadonlyMap<string, Archive>;
/** The only one that the server lacks. */
let newcomer: InstanceContents['roles'][number] | undefined;
const before = new Map<string, Fingerprint>();

const NAMES = ['east', 'west'];

beforeAll(async () => {
  world = await postgresWorld();
  for (const name of ['app', 'clerk', 'newcomer']) await world.role(name);
  restorer = await world.role('restorer', 'CREATEDB CREATEROLE');
  await world.sql(
    'postgres',
    'GRANT app, clerk TO restorer',
    'CREATE DATABASE east OWNER app',
    'CREATE DATABASE west OWNER newcomer',
  );
  await world.sql(
    'east',
    'CREATE SCHEMA desk AUTHORIZATION clerk',
    'SET ROLE clerk',
    'CREATE TABLE desk.letters AS SELECT 1 AS a',
    'GRANT SELECT ON desk.letters TO newcomer',
  );
  await world.sql('west', 'SET ROLE newcomer', 'CREATE SCHEMA hall', 'CREATE TABLE hall.things AS SELECT 2 AS b');
  archives = new Map(await Promise.all(NAMES.map(async (name) => [name, await dumpOf(world, name)] as const)));
  for (const name of NAMES) before.set(name, await world.print(name));
  newcomer = await describedRole('newcomer');
  await world.sql('east', 'DROP OWNED BY newcomer');
  await world.sql('postgres', 'DROP DATABASE west', 'DROP ROLE newcomer');
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

async function describedRole(name: string): Promise<InstanceContents['roles'][number] | undefined> {
  await using source = await postgres.openInstanceSource(world.serverAccess, world.superuser, world.context);
  return (await source.describe()).roles.find((role) => role.name === name);
}

function open(of: ReadonlyMap<string, Archive>, login = restorer): Promise<InstanceTarget> {
  const run = aRestore();
  const contents: InstanceContents = {
    ...{ formatVersion: 1, scope: 'Instance', skipped: [], recipe: [], memberships: [], tablespaces: [] },
    globals: { part: 9, tool: 'pg_dumpall', format: 'sql', plain: { size: 0, sha256: '' }, rolePasswords: true },
    databases: [...of].map(([database, archive]) => {
      const { properties, tables, parts } = requestFor(archive, database).contents;
      return { database, properties, tables, parts };
    }),
    roles: newcomer === undefined ? [] : [newcomer],
  };
  const request = {
    ...{ run, contents, onConflict: 'Replace' as const, sourceMajor: world.server.major },
    scratchDatabase: scratchDatabaseName(run),
    begin: async ({ database }: { database: string }, program: Parameters<ReturnType<typeof beginOf>>[0]) =>
      await beginOf(of.get(database)!.bytes)(program),
  };
  return postgres.openInstanceTarget(world.serverAccess, login, request, world.context);
}

async function load(target: InstanceTarget): Promise<void> {
  await target.makeRoles();
  for (const { database, properties } of target.databases) {
    await target.database(database).createScratch(properties);
    await feed(target.database(database).load(), archives.get(database)!.bytes);
  }
}

test('without the rights of who owns something in one of them it is refused by name, and with what the hint says it comes back', async () => {
  await world.sql('postgres', 'REVOKE clerk FROM restorer');
  let hint = '';
  {
    await using target = await open(archives);
    const { refusals } = await target.plan();
    hint = refusals[0]?.hint ?? '';
    expect(refusals).toEqual([
      {
        reason: 'RightMissing',
        message: 'role "restorer" has not the rights of "clerk", which owns some of what would be restored',
        hint: expect.stringMatching(/^GRANT "clerk" TO "restorer"/),
      },
    ]);
    // As it would have been found before, with the app at zero.
    await expect(load(target)).rejects.toMatchObject({ reason: 'LoadFailed' });
  }
  await world.sql('postgres', hint);
  await using target = await open(archives);
  expect((await target.plan()).refusals).toEqual([]);
  await load(target);
  await target.swap(inTheFuture());
  for (const name of NAMES) expect(await world.print(name)).toEqual(before.get(name));
});

test('what that restore keeps is told to the next one', async () => {
  await using target = await open(archives);
  expect((await target.plan()).notes).toContainEqual(
    expect.stringMatching(
      /^earlier restores keep "east_before_\w+" \(\d+ kB, of Restore shop\/restore-[\w-]+\): each goes when/,
    ),
  );
});

test('what only a superuser may make is refused with the database that it is in, and is none to a superuser', async () => {
  await world.sql('postgres', 'CREATE DATABASE mighty OWNER app');
  await world.sql('mighty', 'CREATE EXTENSION file_fdw');
  const both = new Map([...archives, ['mighty', await dumpOf(world, 'mighty')]]);
  const refusalsFor = async (login: Login) => {
    await using target = await open(both, login);
    return (await target.plan()).refusals;
  };
  expect(await refusalsFor(restorer)).toEqual([
    {
      reason: 'RightMissing',
      message: 'only a superuser may make extension "file_fdw" in "mighty"',
      hint: 'restore with a superuser',
    },
  ]);
  expect(await refusalsFor(world.superuser)).toEqual([]);
});
