import { expect, test } from '@jest/globals';
import pg from 'pg';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { HoldfastError } from '../../src/lib/errors.ts';
import { MAJORS_WITH_PROGRAMS } from '../cluster/postgres-majors.ts';
import { withProgramsOfEveryMajor, worldOfMajor } from '../support/postgres-majors.ts';
import {
  meant,
  namesIn,
  randomSelection,
  relationsOf,
  rowsIn,
  seen,
  withoutRowsOf,
} from '../support/postgres-parts.ts';
import { randomOf } from '../support/postgres-random.ts';
import { ROLES } from '../support/postgres-random-draft.ts';
import { randomSchema } from '../support/postgres-random-schema.ts';
import { failuresOf, seedCount, seedsFrom } from '../support/postgres-random-trial.ts';
import { dumpOf, inTheFuture, loadInto, type PostgresWorld, requestFor } from '../support/postgres-world.ts';

const SCHEMAS = seedCount(4);
const SELECTIONS = 5;

withProgramsOfEveryMajor();

test.each(MAJORS_WITH_PROGRAMS)(
  'random parts of random databases of PostgreSQL %i come back, or are refused',
  async (major) => {
    await using world = await worldOfMajor(major, ROLES);
    const count = { restored: 0, refused: 0 };
    const failures = await failuresOf(major, seedsFrom(major * 1000 + 500, SCHEMAS), (seed) =>
      partsOf(world, seed, count),
    );
    expect(failures.join('\n\n')).toBe('');
    if (SCHEMAS >= 4) expect(count.restored).toBeGreaterThan(SCHEMAS);
  },
  300_000,
);

async function partsOf(
  world: PostgresWorld,
  seed: number,
  count: { restored: number; refused: number },
): Promise<void> {
  const { database, create, inside, properties } = randomSchema(seed, world.server.major);
  await world.sql('postgres', create);
  await world.sql(database, inside.join(';\n'));
  await world.sql('postgres', ...properties);
  const random = randomOf(seed);
  const whole = await world.print(database);
  const relations = await relationsOf(world, database);
  for (let made = 0; made < SELECTIONS; made += 1) {
    const selection = randomSelection(random, relations);
    const said = JSON.stringify(selection);
    try {
      const archive = await dumpOf(world, database, world.superuser, selection).catch((error: unknown) => {
        if (error instanceof HoldfastError && ['SelectionIncomplete', 'SelectionEmpty'].includes(error.reason)) return;
        throw error;
      });
      if (archive === undefined) {
        count.refused += 1;
        continue;
      }
      const expected = meant(relations, selection);
      const tables = expected.filter(({ kind }) => 'rp'.includes(kind));
      expect(archive.tables.map(({ schema, name }) => [schema, name])).toEqual(
        tables.map(({ schema, name }) => [schema, name]),
      );
      const part = `part of ${seed}`;
      const request = requestFor(archive, part, { onConflict: 'Fail' });
      await using target = await postgres.openTarget(world.access(part), world.superuser, request, world.context);
      expect((await target.plan()).refusals).toEqual([]);
      await loadInto(target, archive);
      await target.swap(inTheFuture());
      const print = await world.print(part);
      expect(seen(print, expected)).toEqual(seen(whole, expected));
      expect(namesIn(print)).toEqual(expected.map(({ schema, name }) => `${schema}.${name}`).sort());
      expect(rowsIn(print, expected)).toEqual(withoutRowsOf(rowsIn(whole, expected), relations, selection));
      count.restored += 1;
      await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(part)}`);
    } catch (error) {
      throw new Error(`${said}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
  await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(database)}`);
}
