import { expect, test } from '@jest/globals';
import pg from 'pg';
import { headReader, writeHead } from '../../src/engines/postgres/dump/toc.ts';
import { MAJORS_WITH_PROGRAMS } from '../cluster/postgres-majors.ts';
import { tablesAcrossVersions } from '../support/postgres-across-versions.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import { addInto, openFor } from '../support/postgres-in-place.ts';
import { withProgramsOfEveryMajor, worldOfMajor } from '../support/postgres-majors.ts';
import { type Random, randomOf } from '../support/postgres-random.ts';
import { ROLES } from '../support/postgres-random-draft.ts';
import { type RandomSchema, randomSchema } from '../support/postgres-random-schema.ts';
import { failuresOf, seedCount, seedsFrom } from '../support/postgres-random-trial.ts';
import { dumpOf, inTheFuture, loadInto, type PostgresWorld } from '../support/postgres-world.ts';

const SCHEMAS = seedCount(2);

withProgramsOfEveryMajor();

test.each(MAJORS_WITH_PROGRAMS)(
  'what is missing of random databases of PostgreSQL %i is added, and what is there stays',
  async (major) => {
    await using world = await worldOfMajor(major, ROLES);
    const count = { dropped: 0 };
    const failures = await failuresOf(major, seedsFrom(major * 1000 + 700, SCHEMAS), async (seed) => {
      await skips(world, randomSchema(seed, major), randomOf(seed), count);
    });
    expect(failures.join('\n\n')).toBe('');
    expect(count.dropped).toBeGreaterThan(SCHEMAS);
  },
  300_000,
);

test('an archive of PostgreSQL 13 finds all of its objects in a server of 18 that it was restored to', async () => {
  await using old = await worldOfMajor(13, ROLES);
  await using newer = await worldOfMajor(18, ROLES);
  const failures = await failuresOf(18, seedsFrom(13_900, SCHEMAS), async (seed) => {
    const { database, create, inside, properties } = randomSchema(seed, 13);
    await old.sql('postgres', create);
    await old.sql(database, inside.join(';\n'));
    await old.sql('postgres', ...properties);
    const [archive, before] = [await dumpOf(old, database), tablesAcrossVersions(await old.print(database))];
    {
      await using target = await openFor(newer, database, archive);
      expect((await target.plan()).refusals).toEqual([]);
      await loadInto(target, archive);
      await target.swap(inTheFuture());
    }
    expect(tablesAcrossVersions(await newer.print(database))).toEqual(before);
    const { report } = await addInto(newer, database, archive);
    expect(report.added).toEqual([]);
    expect(report.kept.length).toBeGreaterThan(10);
    expect(tablesAcrossVersions(await newer.print(database))).toEqual(before);
  });
  expect(failures.join('\n\n')).toBe('');
}, 120_000);

async function skips(
  world: PostgresWorld,
  { database, create, inside, properties }: RandomSchema,
  random: Random,
  count: { dropped: number },
): Promise<void> {
  await world.sql('postgres', create);
  await world.sql(database, inside.join(';\n'));
  await world.sql('postgres', ...properties);
  const before = await world.print(database);
  const archive = await dumpOf(world, database);
  expect(headWrittenAgain(archive.bytes)).toBe(true);

  // Everything is there.
  const nothing = await addInto(world, database, archive);
  expect(nothing.report.added).toEqual([]);
  expect(await world.print(database)).toEqual(before);

  // Some of it is.
  count.dropped += await dropSome(world, database, random);
  await addInto(world, database, archive);
  expect(comparable(await world.print(database))).toEqual(comparable(before));
  await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(database)}`);

  // Nothing is, but for a stranger.
  await world.sql('postgres', create);
  await world.sql(database, 'CREATE SCHEMA stranger', 'CREATE TABLE stranger.stranger (a int)');
  const all = await addInto(world, database, archive);
  expect(all.report.kept.filter((label) => !/"public"/.test(label))).toEqual([]);
  await world.sql(database, 'DROP SCHEMA stranger CASCADE');
  await world.sql('postgres', ...properties);
  expect(comparable(await world.print(database))).toEqual(comparable(before));
  await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(database)}`);
}

/** Byte for byte, as this pg_dump wrote it. */
function headWrittenAgain(bytes: Buffer): boolean {
  const read = headReader().push(bytes);
  if (read === undefined) return false;
  const head = Buffer.concat([...writeHead(read.head)]);
  return head.length === bytes.length - read.rest.length && head.equals(bytes.subarray(0, head.length));
}

/** Whatever nothing else needs. A partition that is attached anew gets indexes that its table has and it had not. */
const DROPPABLE = `
  SELECT format('DROP %s %s', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
      WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.oid::regclass) AS statement
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))
  UNION ALL
  SELECT format('DROP ROUTINE %s', p.oid::regprocedure) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
  ORDER BY 1`;

async function dropSome(world: PostgresWorld, database: string, random: Random): Promise<number> {
  const client = world.client(database);
  await client.connect();
  try {
    await client.query(`SET search_path = pg_catalog; SET session_replication_role = replica`);
    await client.query(
      `SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE current_setting('server_encoding') = 'SQL_ASCII'`,
    );
    const { rows } = await client.query<{ statement: string }>(DROPPABLE);
    let dropped = 0;
    // Twice: what needs something goes first.
    for (const { statement } of [...rows, ...rows].filter(() => random.chance(0.4))) {
      await client.query(statement).then(
        () => {
          dropped += 1;
        },
        () => {},
      );
    }
    return dropped;
  } finally {
    await client.end();
  }
}

/** A publication that stays has lost the tables that were dropped; and a live database keeps what it has of schema public. */
function comparable({ schema, ...print }: Fingerprint): Fingerprint {
  const { publications: _, schemas = [], comments = [], languages: __, ...rest } = schema;
  const isPublic = (row: unknown) =>
    Object.values(row as object).some((value) => value === 'public' || value === '"public"');
  return {
    ...print,
    schema: {
      ...rest,
      schemas: schemas.filter((row) => !isPublic(row)),
      comments: comments.filter((row) => !isPublic(row)),
    },
  };
}
