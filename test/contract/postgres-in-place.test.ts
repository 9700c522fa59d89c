import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Selection } from '../../src/api/postgresql-selection.ts';
import type { TargetRequest } from '../../src/engines/engine.ts';
import { guarded } from '../../src/engines/postgres/dump/guard.ts';
import { objectsIn } from '../../src/engines/postgres/dump/objects.ts';
import { headReader } from '../../src/engines/postgres/dump/toc.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { cutsOf } from '../support/postgres-dump.ts';
import { addInto, feed, openFor } from '../support/postgres-in-place.ts';
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
let archive: Archive;

const DATABASE = 'shop';

const SHOP = [
  'CREATE SCHEMA sales',
  `CREATE TYPE sales.state AS ENUM ('new', 'paid')`,
  `CREATE FUNCTION sales.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
  'CREATE SEQUENCE sales.numbers START 100',
  'CREATE TABLE public.customers (id serial PRIMARY KEY, name text UNIQUE)',
  `INSERT INTO public.customers (name) VALUES ('Ada'), ('Bea')`,
  `CREATE TABLE sales.orders (id bigint PRIMARY KEY DEFAULT nextval('sales.numbers'), customer int REFERENCES public.customers, state sales.state)`,
  `INSERT INTO sales.orders (customer, state) VALUES (1, 'new'), (2, 'paid')`,
  'CREATE INDEX by_customer ON sales.orders (customer)',
  'CREATE TRIGGER touched BEFORE UPDATE ON sales.orders FOR EACH ROW EXECUTE FUNCTION sales.touch()',
  'CREATE VIEW public.paid AS SELECT customer FROM sales.orders WHERE state = $$paid$$',
  'CREATE TABLE public.events (at int, what text) PARTITION BY RANGE (at)',
  'CREATE INDEX events_what ON public.events (what)',
  'CREATE TABLE public.events_1 PARTITION OF public.events FOR VALUES FROM (1) TO (10)',
  'CREATE TABLE public.events_2 PARTITION OF public.events FOR VALUES FROM (10) TO (20)',
  `INSERT INTO public.events VALUES (1, 'a'), (11, 'b')`,
  'CREATE PUBLICATION feed FOR TABLE public.customers',
];

beforeAll(async () => {
  world = await postgresWorld({ wal_level: 'logical' });
  await world.sql('postgres', 'CREATE DATABASE pattern');
  await world.sql('pattern', ...SHOP);
  await fresh();
  archive = await dumpOf(world, DATABASE);
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

async function fresh(): Promise<void> {
  await world.sql('postgres', `DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
  await world.sql('postgres', `CREATE DATABASE ${DATABASE} TEMPLATE pattern`);
}

beforeEach(() => fresh());

const sql = (...statements: string[]) => world.sql(DATABASE, ...statements);
const add = (over: Partial<TargetRequest> = {}) => addInto(world, DATABASE, archive, over);
const only = (...names: string[]): Selection => ({
  include: {
    tables: names.map((name) => {
      const [schema = '', table = ''] = name.split('.');
      return { schema, name: table };
    }),
  },
});
const refused = async (over: Partial<TargetRequest>) => {
  await using target = await openFor(world, DATABASE, archive, over);
  return (await target.plan()).refusals;
};

describe('Skip', () => {
  test('adds a table with all that belongs to it, and leaves the others as they are', async () => {
    const before = await world.print(DATABASE);
    await sql('DROP VIEW paid', 'DROP TABLE sales.orders');
    await sql('DROP INDEX events_what', `UPDATE customers SET name = 'Zoe' WHERE id = 1`);
    const { report, plan } = await add();
    expect(report.added.toSorted()).toEqual(['table "sales"."orders"', 'view "public"."paid"']);
    expect(report.kept).toContain('table "public"."customers"');
    expect(plan.notes?.join(' ')).toContain('Added (2): table "sales"."orders"');
    await sql('CREATE INDEX events_what ON events (what)', `UPDATE customers SET name = 'Ada' WHERE id = 1`);
    expect(await world.print(DATABASE)).toEqual(before);
  });

  test('is done once: the mark in the comment of the database tells', async () => {
    await world.sql('postgres', `COMMENT ON DATABASE ${DATABASE} IS 'Mine, ☂'`);
    const before = await world.print(DATABASE);
    await sql('DROP VIEW paid');
    const run = aRestore();
    await add({ run });
    expect(await world.print(DATABASE)).toEqual(before);
    await sql('DROP VIEW paid');
    await using target = await openFor(world, DATABASE, archive, { run });
    expect(await target.plan()).toMatchObject({ alreadyRestored: true, refusals: [] });
    const [row] = await world.sql(
      'postgres',
      `SELECT shobj_description(oid, 'pg_database') AS c FROM pg_database WHERE datname = '${DATABASE}'`,
    );
    expect(row?.['c']).toMatch(/^Mine, ☂\nholdfast-restores: \[\{.*"time":"20..-..-..T..:..:..\....Z"\}\]$/);
  });

  test('attaches a partition that is missing, with one index for each of its table', async () => {
    const before = await world.print(DATABASE);
    await sql('DROP TABLE events_1');
    await add();
    expect(await world.print(DATABASE)).toEqual(before);
  });

  test('makes a database that is not there, or has nothing in it, as any restore does', async () => {
    await using target = await openFor(world, 'nowhere', archive);
    expect(await target.plan()).toMatchObject({ databaseExists: false, refusals: [] });
  });

  test('does not mix large objects that nobody can tell apart', async () => {
    await sql('SELECT lo_create(4711), lo_create(4712)');
    const whole = await world.print(DATABASE);
    const withLargeObjects = await dumpOf(world, DATABASE);
    await sql('SELECT lo_unlink(4711)', 'DROP VIEW paid');
    await expect(addInto(world, DATABASE, withLargeObjects)).rejects.toMatchObject({ reason: 'LargeObjectsMixed' });
    await sql('SELECT lo_unlink(4712)');
    expect((await addInto(world, DATABASE, withLargeObjects)).report.added).toContain('large objects');
    expect(await world.print(DATABASE)).toEqual(whole);
  });

  test('does not take an archive that is not trusted: its code would run as the owner of what is live', async () => {
    const request = requestFor(archive, DATABASE, { onConflict: 'Skip', owner: 'plain' });
    await using target = await postgres.openTarget(world.access(DATABASE), world.superuser, request, world.context);
    const { refusals } = await target.plan();
    expect(refusals.map(({ reason }) => reason)).toContain('OwnershipInPlace');
  });

  test('needs the rights of the owner of the database, and says so by name', async () => {
    const login = await world.role('stranger');
    const request = requestFor(archive, DATABASE, { onConflict: 'Skip' });
    await using target = await postgres.openTarget(world.access(DATABASE), login, request, world.context);
    expect((await target.plan()).refusals).toMatchObject([
      { reason: 'RightMissing', message: expect.stringContaining('"postgres", which owns the live database') },
    ]);
  });
});

describe('a part', () => {
  test('is refused by Fail where some of it is there, with the names', async () => {
    const [refusal] = await refused({ onConflict: 'Fail', selection: only('sales.orders') });
    expect(refusal).toMatchObject({
      reason: 'ObjectsExist',
      message: expect.stringContaining('table "sales"."orders"'),
    });
  });

  test('is added by Fail where nothing of it is there', async () => {
    const before = await world.print(DATABASE);
    await sql('DROP VIEW paid');
    await add({ onConflict: 'Fail', selection: only('public.paid') });
    expect(await world.print(DATABASE)).toEqual(before);
  });

  test('takes the place of what it was, and of nothing else', async () => {
    const before = await world.print(DATABASE);
    await sql('DELETE FROM sales.orders', 'DROP INDEX sales.by_customer', 'CREATE TABLE later (a int)');
    const { report } = await add({ onConflict: 'Replace', selection: only('sales.orders', 'public.paid') });
    expect(report.replaced.toSorted()).toEqual(['table "sales"."orders"', 'view "public"."paid"']);
    await sql('DROP TABLE later');
    expect(await world.print(DATABASE)).toEqual(before);
  });

  test('does not replace what others need, and names them', async () => {
    const [refusal] = await refused({ onConflict: 'Replace', selection: only('sales.orders') });
    expect(refusal).toMatchObject({
      reason: 'StillNeeded',
      message: expect.stringContaining('view "public"."paid" needs table "sales"."orders"'),
    });
  });

  test('leaves its tables in the publications that they were in', async () => {
    const before = await world.print(DATABASE);
    await add({ onConflict: 'Replace', selection: only('public.customers', 'sales.orders', 'public.paid') });
    expect(await world.print(DATABASE)).toEqual(before);
  });

  test('comes with what it needs, but not with tables that nobody asked for', async () => {
    await world.sql('postgres', 'DROP DATABASE IF EXISTS part', 'CREATE DATABASE part');
    await using target = await openFor(world, 'part', archive, { onConflict: 'Fail', selection: only('sales.orders') });
    expect((await target.plan()).refusals).toMatchObject([
      {
        reason: 'SelectionIncomplete',
        message: expect.stringContaining(
          'fk constraint "sales"."orders orders_customer_fkey" needs table "public"."customers"',
        ),
        hint: expect.stringContaining('add to include: table "public"."customers"'),
      },
    ]);
  });

  test('of which the archive has no such name is refused by that name', async () => {
    expect(await refused({ selection: only('sales.Orders') })).toMatchObject([
      { reason: 'SelectionNotFound', message: expect.stringContaining('"sales"."Orders"') },
    ]);
  });

  test('drops no partition that it was told to leave out', async () => {
    const selection = { ...only('public.events'), exclude: only('public.events_2').include ?? {} };
    expect(await refused({ onConflict: 'Replace', selection })).toMatchObject([
      { reason: 'SelectionIncomplete', message: expect.stringContaining('table "public"."events_2"') },
    ]);
  });
});

test('an archive that is a part adds to a database, or replaces its own tables, and nothing more', async () => {
  const selection = only('sales.orders', 'sales.numbers', 'public.customers', 'public.paid');
  const part = await dumpOf(world, DATABASE, world.superuser, selection);
  const before = await world.print(DATABASE);
  await sql('DROP VIEW paid', 'DELETE FROM sales.orders');
  await addInto(world, DATABASE, part, { onConflict: 'Skip' });
  expect(await sql('SELECT FROM sales.orders')).toEqual([]);
  await addInto(world, DATABASE, part, { onConflict: 'Replace' });
  expect(await world.print(DATABASE)).toEqual(before);
});

describe('rows that are live', () => {
  const events: Selection = { exclude: { tableData: [{ schema: 'public', name: 'events' }] } };
  const replacing = (part: Archive, ...names: string[]) =>
    addInto(world, DATABASE, part, { onConflict: 'Replace', selection: only(...names) });

  test('are not lost to a table that has none in the archive, whatever it is a part of by now', async () => {
    const part = await dumpOf(world, DATABASE, world.superuser, events);
    const message = expect.stringContaining('table "public"."events_1"');
    await expect(replacing(part, 'public.events')).rejects.toMatchObject({ reason: 'RowsMissing', message });
    await sql('ALTER TABLE events DETACH PARTITION events_1');
    await expect(replacing(part, 'public.events_1')).rejects.toMatchObject({ reason: 'RowsMissing', message });
    expect(await sql('SELECT what FROM events_1')).toEqual([{ what: 'a' }]);
  });

  test('are lost to the ones of the archive, none where the table was empty', async () => {
    await sql('DELETE FROM events');
    const empty = await dumpOf(world, DATABASE);
    await sql(`INSERT INTO events VALUES (1, 'a')`);
    await replacing(empty, 'public.events');
    expect(await sql('SELECT FROM events')).toEqual([]);
  });

  test.each([
    ['view', 'CREATE VIEW paid AS SELECT 1 AS a'],
    ['materialized view', 'CREATE MATERIALIZED VIEW paid AS SELECT 1 AS a'],
    ['sequence', 'CREATE SEQUENCE paid'],
  ])('are not lost to a %s of the same name', async (kind, statement) => {
    await sql('DROP VIEW paid', statement);
    const other = await dumpOf(world, DATABASE);
    await sql(`DROP ${kind} paid`, 'CREATE TABLE paid AS SELECT 7 AS a');
    await expect(replacing(other, 'public.paid')).rejects.toMatchObject({
      reason: 'KindMismatch',
      message: `in "${DATABASE}" what would be replaced is something else than in the archive: table "public"."paid" is ${kind} "public"."paid" in the archive`,
    });
    expect(await sql('TABLE paid')).toEqual([{ a: 7 }]);
  });
});

test('a sequence that belongs to a table by now is not replaced without it', async () => {
  await sql('ALTER SEQUENCE sales.numbers OWNED BY sales.orders.id');
  expect(await refused({ onConflict: 'Replace', selection: only('sales.numbers') })).toMatchObject([
    {
      reason: 'KindMismatch',
      message: expect.stringContaining('sequence "sales"."numbers" of the archive belongs to'),
    },
  ]);
});

describe('one transaction', () => {
  test('nothing is committed after the fence, though it passed while the rows were on their way', async () => {
    await sql('DROP VIEW paid', 'DROP TABLE sales.orders');
    const before = await world.print(DATABASE);
    await using target = await openFor(world, DATABASE, archive);
    const program = target.addTo(inTheFuture(1_500));
    // The head, and all rows but the end of the last.
    const half = archive.bytes.length - 3;
    program.input.write(archive.bytes.subarray(0, half));
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    program.input.end(archive.bytes.subarray(half));
    await expect(program.done).rejects.toMatchObject({ reason: 'FencePassed' });
    expect(await world.print(DATABASE)).toEqual(before);
  });

  test('a runner that was lost is ended by the cleanup, and what it had done is gone', async () => {
    await sql('DROP VIEW paid', 'DROP TABLE sales.orders');
    const before = await world.print(DATABASE);
    const run = aRestore();
    const target = await openFor(world, DATABASE, archive, { run });
    const program = target.addTo(inTheFuture());
    program.input.write(archive.bytes.subarray(0, archive.bytes.length - 3));
    // It waits for rows.
    const working = async () =>
      (
        await world.sql(
          'postgres',
          `SELECT FROM pg_stat_activity WHERE datname = '${DATABASE}' AND query LIKE 'COPY % FROM stdin%'`,
        )
      ).length;
    while ((await working()) === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    const { scratchDatabase, previousDatabase } = requestFor(archive, DATABASE, { run });
    const task = {
      command: 'cleanup',
      run,
      scratchDatabase,
      previousDatabase,
      dropPrevious: false,
      keepScratch: false,
    } as const;
    const found = await postgres.cleanUp({ ...task, database: world.access(DATABASE) }, world.superuser, world.context);
    expect(found).toEqual({ restored: false });
    await expect(program.done).rejects.toThrow();
    await target[Symbol.asyncDispose]();
    expect(await world.print(DATABASE)).toEqual(before);
  });

  test('a program that stops between the last look at the clock and its commit finds its transaction gone', async () => {
    const read = headReader().push(archive.bytes);
    if (read === undefined) throw new Error('a whole dump has a whole head');
    const { head } = read;
    const guard = { fence: inTheFuture(), mark: { before: 'a', after: 'b' }, going: [], live: objectsIn(head) };
    const last = guarded(head, [], guard).entries.at(-1)?.defn ?? '';
    const client = world.client(DATABASE);
    await client.connect();
    await client.query('BEGIN; CREATE TABLE late (a int)');
    await client.query(last);
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    await expect(client.query('COMMIT')).rejects.toThrow();
    expect(await sql(`SELECT to_regclass('late') AS late`)).toEqual([{ late: null }]);
  });

  test('a dump that is cut, wherever that is, commits nothing', async () => {
    await sql('DROP VIEW paid', 'DROP TABLE sales.orders', 'DROP TABLE events_1');
    const before = await world.print(DATABASE);
    await using target = await openFor(world, DATABASE, archive);
    for (const cut of cutsOf(archive.bytes))
      await expect(feed(target.addTo(inTheFuture()), archive.bytes.subarray(0, cut))).rejects.toThrow();
    expect(await world.print(DATABASE)).toEqual(before);
    await feed(target.addTo(inTheFuture()), archive.bytes);
    expect(await world.print(DATABASE)).not.toEqual(before);
  }, 120_000);
});
