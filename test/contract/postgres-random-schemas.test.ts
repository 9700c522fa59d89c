import { expect, test } from '@jest/globals';
import pg from 'pg';
import { NO_SEAMS, openTarget } from '../../src/engines/postgres/target.ts';
import { MAJORS_WITH_PROGRAMS } from '../cluster/postgres-majors.ts';
import { withProgramsOfEveryMajor, worldOfMajor } from '../support/postgres-majors.ts';
import { ROLES } from '../support/postgres-random-draft.ts';
import { type RandomSchema, randomSchema } from '../support/postgres-random-schema.ts';
import { failuresOf, seedCount, seedsFrom } from '../support/postgres-random-trial.ts';
import { dumpOf, inTheFuture, loadInto, type PostgresWorld, requestFor } from '../support/postgres-world.ts';

const SCHEMAS = seedCount(40);

withProgramsOfEveryMajor();

test.each(MAJORS_WITH_PROGRAMS)(
  'random databases of PostgreSQL %i come back the same',
  async (major) => {
    await using world = await worldOfMajor(major, ROLES);
    const features = new Set<string>();
    const failures = await failuresOf(major, seedsFrom(major * 1000, SCHEMAS), async (seed) => {
      const schema = randomSchema(seed, major);
      for (const feature of schema.features) features.add(feature);
      await roundTrip(world, schema, seed % 2 === 0, seed % 3 === 0 ? 3 : 1);
    });
    expect(failures.join('\n\n')).toBe('');
    if (SCHEMAS >= 40) expect(features.size).toBeGreaterThan(100);
  },
  300_000,
);

/** Once over the live database, once under another name; by one connection and by several. */
async function roundTrip(world: PostgresWorld, schema: RandomSchema, live: boolean, streams: number): Promise<void> {
  const { database } = schema;
  await world.sql('postgres', schema.create);
  await world.sql(database, schema.inside.join(';\n'));
  await world.sql('postgres', ...schema.properties);
  const before = await world.print(database);
  const archive = await dumpOf(world, database);
  if (!live) await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(database)}`);
  const name = live ? database : `another ${database.slice(0, 40)}`;
  const request = requestFor(archive, name, { streams });
  // So few that the rows of most tables come by several connections.
  const seams = { ...NO_SEAMS, runOfRows: 40 };
  await using target = await openTarget(world.access(name), world.superuser, request, world.context, seams);
  expect((await target.plan()).refusals).toEqual([]);
  await loadInto(target, archive);
  await target.swap(inTheFuture());
  expect(await world.print(name)).toEqual(before);
  await target.dropPrevious();
  await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(name)}`);
}
