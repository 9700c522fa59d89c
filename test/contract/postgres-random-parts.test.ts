import { expect, test } from '@jest/globals';
import pg from 'pg';
import type { Selection } from '../../src/api/postgresql-selection.ts';
import { MAJORS_WITH_PROGRAMS } from '../cluster/postgres-majors.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import { addInto, openFor } from '../support/postgres-in-place.ts';
import { withProgramsOfEveryMajor, worldOfMajor } from '../support/postgres-majors.ts';
import {
  meant,
  namesIn,
  type Relation,
  randomSelection,
  relationsOf,
  rowsIn,
  seen,
} from '../support/postgres-parts.ts';
import { type Random, randomOf } from '../support/postgres-random.ts';
import { ROLES } from '../support/postgres-random-draft.ts';
import { randomSchema } from '../support/postgres-random-schema.ts';
import { failuresOf, seedCount, seedsFrom } from '../support/postgres-random-trial.ts';
import { type Archive, dumpOf, inTheFuture, loadInto, type PostgresWorld } from '../support/postgres-world.ts';

const SCHEMAS = seedCount(2);
const PARTS = 8;

/** Why a part may be refused before anything is done. */
const REFUSALS = ['SelectionIncomplete', 'SelectionEmpty'];
const REFUSALS_OF_REPLACE = [...REFUSALS, 'StillNeeded'];

withProgramsOfEveryMajor();

test.each(MAJORS_WITH_PROGRAMS)(
  'a random part of an archive of PostgreSQL %i comes back alone, and in the place of what it was, or is refused',
  async (major) => {
    await using world = await worldOfMajor(major, ROLES);
    const count = { alone: 0, inPlace: 0, refused: 0 };
    const failures = await failuresOf(major, seedsFrom(major * 1000 + 800, SCHEMAS), (seed) =>
      partsOf(world, seed, count),
    );
    expect(failures.join('\n\n')).toBe('');
    if (SCHEMAS >= 2) expect(count.alone).toBeGreaterThan(0);
    if (SCHEMAS >= 2) expect(count.inPlace).toBeGreaterThan(0);
  },
  300_000,
);

type Count = Record<'alone' | 'inPlace' | 'refused', number>;

async function partsOf(world: PostgresWorld, seed: number, count: Count): Promise<void> {
  const { database, create, inside, properties } = randomSchema(seed, world.server.major);
  await world.sql('postgres', create);
  await world.sql(database, inside.join(';\n'));
  await world.sql('postgres', ...properties);
  const random = randomOf(seed);
  const whole = await world.print(database);
  const relations = await relationsOf(world, database);
  const archive = await dumpOf(world, database);
  for (let made = 0; made < PARTS; made += 1) {
    const selection = random.chance(0.5)
      ? oneOf(random, relations)
      : withoutRowless(randomSelection(random, relations));
    if (Object.keys(selection).length === 0) continue;
    try {
      await alone(world, `part of ${seed}`, archive, selection, relations, whole, count);
      if (!hasLonePartition(relations, selection)) await inPlace(world, database, archive, selection, relations, count);
    } catch (error) {
      throw new Error(`${JSON.stringify(selection)}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  }
  await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(database)}`);
}

/** One that is attached anew gets the indexes that its table has, also those that it had not. */
function hasLonePartition(relations: readonly Relation[], selection: Selection): boolean {
  const chosen = new Set(meant(relations, selection).map(({ text }) => text));
  return relations.some(
    ({ kind, text, line }) => kind !== 'S' && chosen.has(text) && line.some((one) => !chosen.has(one)),
  );
}

/** What stands alone most often. */
function oneOf(random: Random, relations: readonly Relation[]): Selection {
  const { schema, name } = random.pick(relations.filter(({ kind, line }) => kind !== 'S' && line.length === 1));
  return { include: { tables: [{ schema, name }] } };
}

/** An archive has its rows with its tables. */
function withoutRowless({ include, exclude }: Selection): Selection {
  const { tableData: _, ...rest } = exclude ?? {};
  return {
    ...(include === undefined ? {} : { include }),
    ...(Object.keys(rest).length === 0 ? {} : { exclude: rest }),
  };
}

async function alone(
  world: PostgresWorld,
  part: string,
  archive: Archive,
  selection: Selection,
  relations: readonly Relation[],
  whole: Fingerprint,
  count: Count,
): Promise<void> {
  await using target = await openFor(world, part, archive, { onConflict: 'Fail', selection });
  const { refusals } = await target.plan();
  if (refusals.length > 0) {
    expect(REFUSALS).toContain(refusals[0]?.reason);
    count.refused += 1;
    return;
  }
  await loadInto(target, archive);
  await target.swap(inTheFuture());
  const expected = meant(relations, selection);
  const print = await world.print(part);
  expect(seen(print, expected)).toEqual(seen(whole, expected));
  const sequences = relations.filter(({ kind }) => kind === 'S').map(({ schema, name }) => `${schema}.${name}`);
  const [names, wanted] = [namesIn(print), expected.map(({ schema, name }) => `${schema}.${name}`)];
  // Besides, what they need: a sequence that nobody asked for.
  expect(names).toEqual(expect.arrayContaining(wanted));
  expect(names.filter((name) => !wanted.includes(name) && !sequences.includes(name))).toEqual([]);
  expect(rowsIn(print, expected)).toEqual(rowsIn(whole, expected));
  count.alone += 1;
  await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(part)}`);
}

/** The rows are ruined; then the database is what it was. */
async function inPlace(
  world: PostgresWorld,
  database: string,
  archive: Archive,
  selection: Selection,
  relations: readonly Relation[],
  count: Count,
): Promise<void> {
  if ((await refusalOf(world, database, archive, selection)) !== undefined) {
    count.refused += 1;
    return;
  }
  const copy = `${database.slice(0, 40)} copy`;
  await world.sql('postgres', `CREATE DATABASE ${pg.escapeIdentifier(copy)} TEMPLATE ${pg.escapeIdentifier(database)}`);
  try {
    const before = await world.print(copy);
    const tables = meant(relations, selection).filter(({ kind }) => kind === 'r');
    await ruin(world, copy, tables);
    await addInto(world, copy, archive, { onConflict: 'Replace', selection });
    expect(await world.print(copy)).toEqual(before);
    count.inPlace += 1;
  } finally {
    await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(copy)}`);
  }
}

async function refusalOf(world: PostgresWorld, database: string, archive: Archive, selection: Selection) {
  await using target = await openFor(world, database, archive, { onConflict: 'Replace', selection });
  const [refusal] = (await target.plan()).refusals;
  if (refusal !== undefined) expect(REFUSALS_OF_REPLACE).toContain(refusal.reason);
  return refusal;
}

async function ruin(world: PostgresWorld, database: string, tables: readonly Relation[]): Promise<void> {
  const client = world.client(database);
  await client.connect();
  await client.query(`SET session_replication_role = replica; SET default_transaction_read_only = off`);
  await client.query(
    `SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE current_setting('server_encoding') = 'SQL_ASCII'`,
  );
  for (const { text } of tables) await client.query(`DELETE FROM ${text}`).catch(() => {});
  await client.end();
}
