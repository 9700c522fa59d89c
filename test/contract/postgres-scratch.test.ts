/** What code of an archive does to the mark of the database that it is loaded into, and what is left of that. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { numberedDatabaseName, scratchDatabaseName } from '../../src/api/names.ts';
import type { TargetRequest } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { writeNotes } from '../../src/engines/postgres/marker.ts';
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
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** As it runs while the archive is loaded, as the owner of the scratch database. */
const COMMENTS: readonly [string, string][] = [
  ['takes it away', 'NULL'],
  ['writes that of another restore', `'${writeNotes({ restores: [], scratchOf: 'another' })}'`],
  ['says that it was live once', `'${writeNotes({ restores: [], previousOf: 'another', previousName: 'shop' })}'`],
];

test.each(COMMENTS)(
  'an archive whose code %s does not go live, and nothing of it stays',
  async (_, comment) => {
    const loader = await world.role('loader', 'CREATEDB');
    await world.sql('postgres', 'CREATE DATABASE evil');
    const statement = `COMMENT ON DATABASE %I IS ${comment}`.replaceAll("'", "''");
    await world.sql(
      'evil',
      `CREATE FUNCTION evil(int) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
        EXECUTE pg_catalog.format('${statement}', pg_catalog.current_database());
        RETURN true;
      END $f$`,
      'CREATE TABLE t (a int)',
      'INSERT INTO t VALUES (1)',
      'ALTER TABLE t ADD CHECK (evil(a))',
      'COMMENT ON DATABASE evil IS NULL',
    );
    try {
      const archive = await dumpOf(world, 'evil');
      const request: TargetRequest = requestFor(archive, 'good', {
        run: aRestore(),
        owner: 'loader',
        privileges: 'Skip',
      });
      const { scratchDatabase, previousDatabase, run } = request;
      {
        await using target = await postgres.openTarget(world.access('good'), loader, request, world.context);
        await loadInto(target, archive);
        await expect(target.swap(inTheFuture())).rejects.toMatchObject({ reason: 'ScratchMissing' });
      }
      expect(await world.databases()).toContain(scratchDatabase);
      const task = {
        command: 'cleanup',
        run,
        database: world.access('good'),
        scratchDatabase,
        previousDatabase,
      } as const;
      const choices = { dropPrevious: false, keepScratch: false };
      expect(await postgres.cleanUp({ ...task, ...choices }, loader, world.context)).toEqual({ restored: false });
      expect(await world.databases()).toEqual(expect.not.arrayContaining([scratchDatabase, 'good']));
    } finally {
      await world.sql('postgres', 'DROP DATABASE evil', 'DROP ROLE loader');
    }
  },
  60_000,
);

/** As autovacuum has it, which comes when it likes and goes when it is told: nobody but a superuser may end it by name. */
test('one with a session in it that the role may not end goes when that session goes', async () => {
  const loader = await world.role('loader', 'CREATEDB');
  const run = aRestore();
  const scratchDatabase = scratchDatabaseName(run);
  await world.sql('postgres', `CREATE DATABASE "${scratchDatabase}" OWNER loader`);
  const other = world.client(scratchDatabase);
  await other.connect();
  const gone = sleep(1_000).then(() => other.end());
  try {
    const task = {
      command: 'cleanup',
      run,
      database: world.access('any'),
      scratchDatabase,
      previousDatabase: 'unused',
    } as const;
    await postgres.cleanUp({ ...task, dropPrevious: false, keepScratch: false }, loader, world.context);
    expect(await world.databases()).not.toContain(scratchDatabase);
  } finally {
    await gone;
    await world.sql('postgres', 'DROP OWNED BY loader', 'DROP ROLE loader');
  }
});

test('of a whole server every one goes that has the UID in its name, and no other', async () => {
  const [run, other] = [aRestore(), aRestore()];
  const archive = await dumpOf(world, 'postgres');
  const { scratchDatabase } = requestFor(archive, 'x', { run });
  const theirs = requestFor(archive, 'x', { run: other }).scratchDatabase;
  const ours = [numberedDatabaseName(scratchDatabase, 0), numberedDatabaseName(scratchDatabase, 11)];
  const stays = [numberedDatabaseName(theirs, 0), theirs, `${scratchDatabase}_kept`, `a_${scratchDatabase}`];
  for (const name of [...ours, ...stays]) await world.sql('postgres', `CREATE DATABASE "${name}"`);
  try {
    const task = {
      command: 'cleanup',
      run,
      database: world.serverAccess,
      scratchDatabase,
      previousDatabase: 'unused',
    } as const;
    const kept = { ...task, dropPrevious: false, keepScratch: true };
    await postgres.cleanUp(kept, world.superuser, world.context);
    expect(await world.databases()).toEqual(expect.arrayContaining([...ours, ...stays]));
    await postgres.cleanUp({ ...kept, keepScratch: false }, world.superuser, world.context);
    const left = await world.databases();
    expect(left).toEqual(expect.arrayContaining(stays));
    for (const name of ours) expect(left).not.toContain(name);
  } finally {
    for (const name of stays) await world.sql('postgres', `DROP DATABASE "${name}"`);
  }
}, 60_000);
