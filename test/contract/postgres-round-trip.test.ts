import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { anExampleDatabase } from '../support/postgres-example.ts';
import {
  aRestore,
  dumpOf,
  inTheFuture,
  loadInto,
  type PostgresWorld,
  postgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

let world: PostgresWorld;

beforeAll(async () => {
  world = await postgresWorld();
  await world.role('app');
  await world.role('reader');
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

test('a database with one of nearly everything comes back the same, and the replaced one is kept', async () => {
  await anExampleDatabase(world, 'shop');
  const before = await world.print('shop');
  const archive = await dumpOf(world, 'shop');
  await world.sql('shop', 'DROP TABLE person CASCADE', 'CREATE TABLE newcomer (a int)');
  const destroyed = await world.print('shop');

  const request = requestFor(archive, 'shop');
  await using target = await postgres.openTarget(world.access('shop'), world.superuser, request, world.context);
  expect(await target.plan()).toMatchObject({ refusals: [], alreadyRestored: false, databaseExists: true });
  await loadInto(target, archive);
  expect(await world.print('shop')).toEqual(destroyed);
  const outcome = await target.swap(inTheFuture());

  expect(await world.print('shop')).toEqual(before);
  expect(outcome).toEqual({ previousDatabase: request.previousDatabase });
  expect(await world.databases()).toEqual(expect.arrayContaining(['shop', request.previousDatabase]));
  expect(await world.databases()).not.toContain(request.scratchDatabase);

  await expect(world.sql(request.previousDatabase, 'SELECT 1')).rejects.toThrow('not currently accepting connections');
  await world.sql('postgres', `ALTER DATABASE "${request.previousDatabase}" ALLOW_CONNECTIONS true`);
  expect(await world.print(request.previousDatabase)).toEqual(destroyed);
  await target.dropPrevious();
  await target.dropPrevious();
  expect(await world.databases()).not.toContain(request.previousDatabase);
}, 60_000);

test('where there is no live database, everything comes from the archive', async () => {
  await anExampleDatabase(world, 'gone');
  const before = await world.print('gone');
  const archive = await dumpOf(world, 'gone');
  await world.sql('postgres', 'DROP DATABASE gone');

  const request = requestFor(archive, 'gone', { onConflict: 'Fail' });
  await using target = await postgres.openTarget(world.access('gone'), world.superuser, request, world.context);
  expect(await target.plan()).toMatchObject({ refusals: [], databaseExists: false, objects: 0 });
  await loadInto(target, archive);
  expect(await target.swap(inTheFuture())).toEqual({});
  expect(await world.print('gone')).toEqual(before);
}, 60_000);

test.each(["we\"ird 'db' 😀", '-lead', 'a=b', 'postgres://x', 'back\\slash', ' %41 ', 'host=elsewhere user=x'])(
  'a database named %j is dumped and restored',
  async (name) => {
    await anExampleDatabase(world, name, { superuserThings: false });
    const before = await world.print(name);
    const archive = await dumpOf(world, name);
    await world.sql(name, 'DROP TABLE person CASCADE');

    const request = requestFor(archive, name);
    await using target = await postgres.openTarget(world.access(name), world.superuser, request, world.context);
    expect((await target.plan()).refusals).toEqual([]);
    await loadInto(target, archive);
    await target.swap(inTheFuture());
    expect(await world.print(name)).toEqual(before);
  },
  60_000,
);

test('encoding and locale are kept, whoever provides them', async () => {
  const variants = [
    ['latin', `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`],
    ['icu', `ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-u-kn' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'`],
    ...(world.server.major >= 16 ? [['rules', `LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&a < g'`]] : []),
    ...(world.server.major >= 17
      ? [['builtin', `ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'`]]
      : []),
  ] as const;
  for (const [name, options] of variants) {
    await world.sql('postgres', `CREATE DATABASE ${name} OWNER app TEMPLATE template0 ${options}`);
    await world.sql(name, `CREATE TABLE word AS SELECT 'é' AS text`);
    const before = await world.print(name);
    const archive = await dumpOf(world, name);
    // Once from the live database's own properties, once from the archive's.
    for (const prepare of [[], [`DROP DATABASE ${name}`]]) {
      await world.sql('postgres', 'SELECT 1', ...prepare);
      const request = requestFor(archive, name);
      await using target = await postgres.openTarget(world.access(name), world.superuser, request, world.context);
      expect((await target.plan()).refusals).toEqual([]);
      await loadInto(target, archive);
      await target.swap(inTheFuture());
      expect(await world.print(name)).toEqual(before);
    }
  }
}, 60_000);

test('a restore happens once only, and its mark outlives later restores', async () => {
  await anExampleDatabase(world, 'once');
  const archive = await dumpOf(world, 'once');
  const comment = (await world.print('once')).database;
  const first = aRestore({ name: 'first' });
  const runs = [first, aRestore({ name: 'second' })];
  for (const run of runs) {
    await using target = await postgres.openTarget(
      world.access('once'),
      world.superuser,
      requestFor(archive, 'once', { run }),
      world.context,
    );
    await loadInto(target, archive);
    await target.swap(inTheFuture());
    await target.dropPrevious();
  }
  const again = { ...first, uid: aRestore().uid, cluster: 'rebuilt' };
  for (const [run, alreadyRestored] of [
    [again, true],
    [{ ...again, specHash: 'other' }, false],
    [{ ...again, namespace: 'elsewhere' }, false],
  ] as const) {
    await using target = await postgres.openTarget(
      world.access('once'),
      world.superuser,
      requestFor(archive, 'once', { run, onConflict: 'Fail' }),
      world.context,
    );
    const plan = await target.plan();
    expect(plan.alreadyRestored).toBe(alreadyRestored);
    expect(plan.refusals.map(({ reason }) => reason)).toEqual(alreadyRestored ? [] : ['TargetNotEmpty']);
  }
  expect((await world.print('once')).database).toEqual(comment);
}, 60_000);
