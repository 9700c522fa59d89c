import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { postgres } from '../../src/engines/postgres/engine.ts';
import {
  localPostgresOfMajor,
  MAJORS_WITH_PROGRAMS,
  type Major,
  postgresPrograms,
} from '../cluster/postgres-majors.ts';
import { ROLES } from '../support/postgres-random-draft.ts';
import { type RandomSchema, randomSchema } from '../support/postgres-random-schema.ts';
import {
  dumpOf,
  inTheFuture,
  loadInto,
  type PostgresWorld,
  postgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

/** Set these to look for more, or to see one again: HOLDFAST_SEED=17042 HOLDFAST_SCHEMAS=1. */
const SEED = process.env['HOLDFAST_SEED'];
const SCHEMAS = Number(process.env['HOLDFAST_SCHEMAS'] ?? 40);

/** As many at a time as keep two processors busy: each waits for its server and its programs most of the time. */
const LANES = 3;

const PROGRAMS_FOLDER = 'HOLDFAST_POSTGRESQL_ROOT';
const formerFolder = process.env[PROGRAMS_FOLDER];

beforeAll(async () => {
  process.env[PROGRAMS_FOLDER] = await postgresPrograms();
}, 180_000);

afterAll(() => {
  if (formerFolder === undefined) delete process.env[PROGRAMS_FOLDER];
  else process.env[PROGRAMS_FOLDER] = formerFolder;
});

test.each(MAJORS_WITH_PROGRAMS)(
  'random databases of PostgreSQL %i come back the same',
  async (major) => {
    await using world = await serverOf(major);
    const seeds = Array.from({ length: SCHEMAS }, (_, n) => Number(SEED ?? major * 1000) + n);
    const failures: string[] = [];
    const features = new Set<string>();
    const lane = async () => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        const schema = randomSchema(seed, major);
        for (const feature of schema.features) features.add(feature);
        await roundTrip(world, schema, seed % 2 === 0).catch((error: unknown) => {
          failures.push(`seed ${seed} on PostgreSQL ${major}: ${error instanceof Error ? error.message : error}`);
        });
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    expect(failures.join('\n\n')).toBe('');
    if (SCHEMAS >= 40) expect(features.size).toBeGreaterThan(100);
  },
  300_000,
);

async function serverOf(major: Major): Promise<PostgresWorld> {
  const world = await postgresWorld({}, (options) => localPostgresOfMajor(major, options));
  for (const role of ROLES) await world.role(role);
  return world;
}

/** Once over a live database that was emptied, once where there is none any more. */
async function roundTrip(world: PostgresWorld, schema: RandomSchema, live: boolean): Promise<void> {
  const { database } = schema;
  await world.sql('postgres', schema.create);
  await world.sql(database, schema.inside.join(';\n'));
  await world.sql('postgres', ...schema.properties);
  const before = await world.print(database);
  const archive = await dumpOf(world, database);
  if (!live) await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(database)}`);
  const request = requestFor(archive, database);
  await using target = await postgres.openTarget(world.access(database), world.superuser, request, world.context);
  expect((await target.plan()).refusals).toEqual([]);
  await loadInto(target, archive);
  await target.swap(inTheFuture());
  expect(await world.print(database)).toEqual(before);
  await target.dropPrevious();
  await world.sql('postgres', `DROP DATABASE ${pg.escapeIdentifier(database)}`);
}
