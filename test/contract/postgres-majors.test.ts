import { describe, expect, test } from '@jest/globals';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { MAJORS, MAJORS_WITH_PROGRAMS, type Major } from '../cluster/postgres-majors.ts';
import { acrossVersions, rowsOf } from '../support/postgres-across-versions.ts';
import { anExampleDatabase } from '../support/postgres-example.ts';
import { withProgramsOfEveryMajor, worldsByMajor } from '../support/postgres-majors.ts';
import {
  type Archive,
  dumpOf,
  inTheFuture,
  loadInto,
  type PostgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

withProgramsOfEveryMajor();
const worldOf = worldsByMajor(['app', 'reader']);

async function restore(world: PostgresWorld, archive: Archive, database: string, as = world.superuser): Promise<void> {
  const request = requestFor(archive, database);
  await using target = await postgres.openTarget(world.access(database), as, request, world.context);
  expect((await target.plan()).refusals).toEqual([]);
  await loadInto(target, archive);
  await target.swap(inTheFuture());
  await target.dropPrevious();
}

/** What came with a major version, and so is in databases of it and of newer ones. */
const NEWS: Readonly<Partial<Record<Major, readonly string[]>>> = {
  14: [
    'CREATE TABLE slots (id int PRIMARY KEY, at int4multirange, word text COMPRESSION pglz)',
    "INSERT INTO slots VALUES (1, '{[1,3), [7,9)}', repeat('a', 5000))",
    'CREATE FUNCTION modern(n int) RETURNS int BEGIN ATOMIC SELECT n + count(*)::int FROM slots; END',
    'CREATE STATISTICS by_expression ON (id % 10) FROM slots',
  ],
  15: [
    'CREATE TABLE once (a int UNIQUE NULLS NOT DISTINCT)',
    'CREATE VIEW careful WITH (security_invoker) AS SELECT * FROM slots',
    'CREATE PUBLICATION chosen FOR TABLE slots (id, word) WHERE (id > 0)',
    'CREATE PUBLICATION whole FOR TABLES IN SCHEMA public',
  ],
  16: [
    'CREATE TABLE compact (a text STORAGE EXTERNAL)',
    "CREATE COLLATION ruled (provider = icu, locale = 'und', rules = '&a < g')",
  ],
  17: [
    'CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY, at int) PARTITION BY RANGE (at)',
    'CREATE TABLE numbered_1 PARTITION OF numbered FOR VALUES FROM (0) TO (10)',
    'INSERT INTO numbered (at) VALUES (1), (2)',
    "CREATE COLLATION plain (provider = builtin, locale = 'C.UTF-8')",
  ],
  18: [
    'CREATE EXTENSION btree_gist',
    `CREATE TABLE lent (id int, during daterange, twice int GENERATED ALWAYS AS (id * 2) VIRTUAL, note text,
       PRIMARY KEY (id, during WITHOUT OVERLAPS), CONSTRAINT "has a note" NOT NULL note,
       CONSTRAINT small CHECK (id < 1000) NOT ENFORCED)`,
    "INSERT INTO lent VALUES (1, '[2026-01-01,2026-02-01)', DEFAULT, 'a'), (1, '[2026-02-01,2026-03-01)', DEFAULT, 'b')",
    'CREATE TABLE later (a int)',
    'ALTER TABLE later ADD CONSTRAINT present NOT NULL a NOT VALID',
  ],
};

async function aDatabaseOf(
  world: PostgresWorld,
  name: string,
  options: { superuserThings?: boolean } = {},
): Promise<void> {
  await anExampleDatabase(world, name, options);
  for (const major of MAJORS.filter((one) => one <= world.server.major))
    await world.sql(name, ...(NEWS[major] ?? ['']));
}

describe.each(MAJORS_WITH_PROGRAMS)('PostgreSQL %i', (major) => {
  test('a database with one of nearly everything comes back the same', async () => {
    const world = await worldOf(major);
    expect(world.server.major).toBe(major);
    await aDatabaseOf(world, 'shop');
    const before = await world.print('shop');
    const archive = await dumpOf(world, 'shop');
    expect(archive.major).toBe(major);
    await world.sql('shop', 'DROP TABLE person CASCADE');
    expect(await world.print('shop')).not.toEqual(before);
    await restore(world, archive, 'shop');
    expect(await world.print('shop')).toEqual(before);
  }, 120_000);

  test('encoding, locale and its provider come from the archive where there is no live database', async () => {
    const world = await worldOf(major);
    for (const [name, options, expected] of localesOf(major)) {
      await world.sql('postgres', `CREATE DATABASE ${name} TEMPLATE template0 ${options}`);
      await world.sql(
        name,
        `CREATE TABLE word AS SELECT text COLLATE "default" FROM (VALUES ('é'), ('Z'), ('a')) v (text)`,
      );
      const before = await world.print(name);
      expect(before.database).toMatchObject(expected);
      const archive = await dumpOf(world, name);
      await world.sql('postgres', `DROP DATABASE ${name}`);
      await restore(world, archive, name);
      expect(await world.print(name)).toEqual(before);
    }
  }, 120_000);
});

/** Before 15 it belongs to the first superuser, and nobody else can drop it. */
test.each([
  [13, true],
  [18, false],
] as const)(
  'PostgreSQL %i: a plain role restores a database without schema public; it is there again: %p',
  async (major, there) => {
    const world = await worldOf(major);
    const restorer = await world.role('restorer', 'CREATEDB');
    await world.sql('postgres', 'GRANT app TO restorer', 'CREATE DATABASE hardened OWNER app');
    await world.sql(
      'hardened',
      'DROP SCHEMA public',
      'SET ROLE app',
      'CREATE SCHEMA own',
      'CREATE TABLE own.word AS SELECT 1 AS a',
    );
    const before = await world.print('hardened');
    await restore(world, await dumpOf(world, 'hardened'), 'hardened', restorer);
    const { schema, ...after } = await world.print('hardened');
    const [schemas, comments] = [rowsOf(schema, 'schemas'), rowsOf(schema, 'comments')];
    expect(schemas.map((row) => row['nspname'])).toEqual(there ? ['own', 'public'] : ['own']);
    const beside = {
      schemas: schemas.filter((row) => row['nspname'] !== 'public'),
      comments: comments.filter((row) => row['identity'] !== 'public'),
    };
    expect({ ...after, schema: { ...schema, ...beside } }).toEqual(before);
  },
  60_000,
);

function localesOf(major: Major): readonly (readonly [string, string, object])[] {
  const from = (first: Major, ...variant: readonly [string, string, object]) => (major >= first ? [variant] : []);
  const icu = `ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER icu`;
  const builtin = (locale: string) => `ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE '${locale}'`;
  return [
    ...from(13, 'latin', `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`, { encoding: 'LATIN1', collate: 'C' }),
    ...from(13, 'bytes', `ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`, { encoding: 'SQL_ASCII' }),
    ...from(13, 'libc', `ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'`, { ctype: 'C.UTF-8' }),
    ...from(15, 'icu', `${icu} ICU_LOCALE 'de-u-kn'`, { provider: 'i', locale: expect.stringMatching(/^de-u-kn/) }),
    ...from(16, 'rules', `${icu} ICU_LOCALE 'und' ICU_RULES '&a < g'`, { provider: 'i', icuRules: '&a < g' }),
    ...from(17, 'plain', builtin('C'), { provider: 'b', locale: 'C' }),
    ...from(17, 'modern', builtin('C.UTF-8'), { provider: 'b', locale: 'C.UTF-8' }),
    ...from(18, 'fast', builtin('PG_UNICODE_FAST'), { provider: 'b', locale: 'PG_UNICODE_FAST' }),
  ];
}

test.each([
  [13, 17],
  [13, 18],
  [15, 18],
  [16, 17],
] as const)(
  'an archive of PostgreSQL %i is restored into %i',
  async (older, newer) => {
    const [source, target] = [await worldOf(older), await worldOf(newer)];
    const name = `from_${older}_to_${newer}`;
    // Without the extension whose functions are written in SQL: those change from version to version.
    await aDatabaseOf(source, name, { superuserThings: false });
    const before = await source.print(name);
    await restore(target, await dumpOf(source, name), name);
    expect(acrossVersions(await target.print(name))).toEqual(acrossVersions(before));
  },
  120_000,
);

test.each([
  [18, 17],
  [15, 13],
] as const)(
  'an archive of PostgreSQL %i is refused by %i, by name',
  async (newer, older) => {
    const [source, elder] = [await worldOf(newer), await worldOf(older)];
    await source.sql('postgres', 'CREATE DATABASE newer');
    const request = requestFor(await dumpOf(source, 'newer'), 'newer');
    await source.sql('postgres', 'DROP DATABASE newer');
    await using target = await postgres.openTarget(elder.access('newer'), elder.superuser, request, elder.context);
    expect((await target.plan()).refusals).toMatchObject([
      { reason: 'Version', message: `the archive is from PostgreSQL ${newer}, the target is ${older}` },
    ]);
  },
  60_000,
);

test('a server of PostgreSQL 14, whose programs are not there, is refused with what is there', async () => {
  const world = await worldOf(14);
  const archive: Archive = {
    bytes: Buffer.of(),
    properties: (await dumpOf(await worldOf(13), 'postgres')).properties,
    major: 13,
  };
  const refusal = {
    reason: 'VersionUnsupported',
    message: 'the server is PostgreSQL 14, and this image has the programs of 13, 15, 16, 17, 18 only',
    hint: 'use an image of Holdfast that was built with 14 in PG_MAJORS',
  };
  const { access, superuser, context } = world;
  await expect(postgres.openSource(access('postgres'), superuser, context)).rejects.toMatchObject(refusal);
  const request = requestFor(archive, 'shop');
  await expect(postgres.openTarget(access('shop'), superuser, request, context)).rejects.toMatchObject(refusal);
}, 60_000);
