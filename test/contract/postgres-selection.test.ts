import { describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { Selection } from '../../src/api/postgresql-selection.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { MAJORS_WITH_PROGRAMS, type Major } from '../cluster/postgres-majors.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import { withProgramsOfEveryMajor, worldsByMajor } from '../support/postgres-majors.ts';
import { meant, relationsOf, rowsIn, seen, withoutRowsOf } from '../support/postgres-parts.ts';
import {
  type Archive,
  dumpOf,
  inTheFuture,
  loadInto,
  type PostgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

withProgramsOfEveryMajor();
const worldOf = worldsByMajor();

const id = pg.escapeIdentifier;
const table = (schema: string, name: string) => ({ schema, name });

interface Restored {
  /** Rows of each table and materialized view, by schema and name. */
  readonly rows: ReadonlyMap<string, number>;
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
}

const ROWS = `
  SELECT n.nspname AS schema, c.relname AS name,
    (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', n.nspname, c.relname), false, true, '')))[1]::text::int AS rows
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (c.relkind IN ('r', 'p') OR (c.relkind = 'm' AND c.relispopulated)) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

const key = ({ schema, name }: { readonly schema: string; readonly name: string }) => JSON.stringify([schema, name]);

/** Of the database `whole`, restored to a name that does not exist, as a part must be: what is in it is what it was. */
async function comesBack<T>(
  world: PostgresWorld,
  archive: Archive,
  look: (restored: Restored) => T | Promise<T>,
): Promise<T> {
  const name = 'part of it';
  const request = requestFor(archive, name, { onConflict: 'Fail' });
  await using target = await postgres.openTarget(world.access(name), world.superuser, request, world.context);
  expect((await target.plan()).refusals).toEqual([]);
  await loadInto(target, archive);
  await target.swap(inTheFuture());
  try {
    await expectPart(world, name, archive.selection ?? {});
    const found = (await world.sql(name, ROWS)) as readonly { schema: string; name: string; rows: number }[];
    return await look({
      rows: new Map(found.map((one) => [key(one), one.rows])),
      query: (sql) => world.sql(name, sql),
    });
  } finally {
    await world.sql('postgres', `DROP DATABASE ${id(name)} WITH (FORCE)`);
  }
}

async function expectPart(world: PostgresWorld, part: string, selection: Selection): Promise<void> {
  const relations = await relationsOf(world, 'whole');
  const expected = meant(relations, selection);
  const [whole, print] = [withSequencesAnew(await world.print('whole'), selection), await world.print(part)];
  expect(seen(print, expected)).toEqual(seen(whole, expected));
  expect(rowsIn(print, expected)).toEqual(withoutRowsOf(rowsIn(whole, expected), relations, selection));
}

/** The serial column of a table without its rows begins at its beginning. */
function withSequencesAnew({ schema, ...print }: Fingerprint, { exclude }: Selection): Fingerprint {
  const emptied = exclude?.tableData?.map((one) => `${one.schema}.${one.name}.`) ?? [];
  const sequences = (schema['sequences'] ?? []).map((row) => {
    const { ownedBy } = row as { ownedBy: string | null };
    const isAnew = emptied.some((table) => ownedBy?.startsWith(table));
    return isAnew ? { ...(row as object), state: { called: false, last: 1 } } : row;
  });
  return { ...print, schema: { ...schema, sequences } };
}

async function withDatabase<T>(
  world: PostgresWorld,
  statements: readonly string[],
  work: (database: string) => Promise<T>,
  options = `ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`,
): Promise<T> {
  await world.sql('postgres', `CREATE DATABASE whole TEMPLATE template0 ${options}`);
  try {
    await world.sql('whole', ...statements);
    return await work('whole');
  } finally {
    await world.sql('postgres', 'DROP DATABASE whole WITH (FORCE)');
  }
}

/** Pairs that a pattern could take for one another. */
const NAMES = {
  UTF8: [
    ...['a.b', 'ab', 'Cap', 'cap', '"q"', 'q', `it's`, 'its', 'x*', 'xyz', 'q?', 'qu', 'w.', 'wx', '[abc]', 'a', '[]'],
    ...['a|b', 'b', '(c)', 'c', '$', '^d', 'd', '\\d', '7', '{2}', 'dd', '+', '***:e', 'e', '-n', '--', ' f ', 'f'],
    ...[
      'naïve',
      'naive',
      'nai\u0308ve',
      '日本',
      '日木',
      '😀',
      '😁',
      '%s',
      '#',
      ';',
      'a\nb',
      'a\tb',
      '\u0001',
      'é1',
      'é',
    ],
    ...[
      'a".b',
      '".',
      'select',
      '1',
      'A\u00adb',
      'é'.repeat(31),
      `${'é'.repeat(31)}x`,
      '\\u0061',
      '\\x61',
      '/*',
      '\u00a0',
    ],
  ],
  LATIN1: ['façade', 'facade', 'ÿ', 'ÿa', 'é1', 'é', 'a.b', 'Cap', 'cap', '\u0080', '\u00a0'],
  SQL_ASCII: ['façade', 'facade', 'é1', 'é', 'a.b', 'Cap', 'cap', '日本'],
  EUC_JP: ['日本', '日木', '日', '本', 'ｱ', '日a', 'a.b', '表1', '丂', '丄'],
} as const;

const SHOP = [
  'CREATE SCHEMA app',
  'CREATE SCHEMA kinds',
  'CREATE SCHEMA audit',
  "CREATE TYPE kinds.mood AS ENUM ('sad', 'glad')",
  'CREATE TABLE kinds.unused AS SELECT 1 AS n',
  'CREATE TABLE app.person (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, feels kinds.mood, CONSTRAINT has_mood CHECK (feels IS NOT NULL))',
  "INSERT INTO app.person (feels) VALUES ('sad'), ('glad')",
  'CREATE TABLE app.visit (id serial PRIMARY KEY, person int CONSTRAINT by_whom REFERENCES app.person)',
  'INSERT INTO app.visit (person) VALUES (1), (2), (2)',
  'CREATE VIEW app.sad AS SELECT id FROM app.person WHERE feels = $$sad$$',
  'CREATE TABLE audit.event (at int, what text) PARTITION BY RANGE (at)',
  'CREATE TABLE audit.event_1 PARTITION OF audit.event FOR VALUES FROM (0) TO (10)',
  'CREATE TABLE audit.event_2 PARTITION OF audit.event FOR VALUES FROM (10) TO (20) PARTITION BY LIST (what)',
  'CREATE TABLE audit.event_2a PARTITION OF audit.event_2 DEFAULT',
  "INSERT INTO audit.event VALUES (1, 'a'), (11, 'b'), (12, 'c')",
  'CREATE TABLE audit.parent (n int)',
  'CREATE TABLE audit.child (m int) INHERITS (audit.parent)',
  'CREATE STATISTICS audit.guess ON at, what FROM audit.event_1',
  'ALTER DEFAULT PRIVILEGES IN SCHEMA audit GRANT SELECT ON TABLES TO PUBLIC',
  'CREATE PUBLICATION news FOR TABLE app.person, audit.parent',
  "SELECT lo_from_bytea(4711, 'a large object')",
  'CREATE EXTENSION hstore',
  'CREATE TABLE public.tagged (tags hstore)',
  'CREATE TABLE public.plain (n int)',
  'CREATE SEQUENCE app.ticket',
  "CREATE TABLE app.job (id int DEFAULT nextval('app.ticket'))",
];

/** In another database a mood has another hash. */
const FELT = [
  'CREATE TABLE audit.felt (what kinds.mood, n int) PARTITION BY HASH (what)',
  'CREATE TABLE audit.felt_1 PARTITION OF audit.felt FOR VALUES WITH (MODULUS 2, REMAINDER 0)',
  'CREATE TABLE audit.felt_2 PARTITION OF audit.felt FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY LIST (n)',
  'CREATE TABLE audit.felt_2a PARTITION OF audit.felt_2 DEFAULT',
];

/** What takes its time is done on the oldest and the newest version only. */
const atEnds = (major: Major) => major === MAJORS_WITH_PROGRAMS[0] || major === MAJORS_WITH_PROGRAMS.at(-1);

describe.each(MAJORS_WITH_PROGRAMS)('on PostgreSQL %i', (major) => {
  test.each((Object.keys(NAMES) as (keyof typeof NAMES)[]).filter((encoding) => encoding === 'UTF8' || atEnds(major)))(
    'names are taken literally in %s',
    async (encoding) => {
      const world = await worldOf(major);
      const names = NAMES[encoding];
      const schemas = ['a', 'A.b', '"s" ☂'.slice(0, encoding === 'UTF8' ? 5 : 3)];
      const makes = schemas.flatMap((schema) => [
        `CREATE SCHEMA ${id(schema)}`,
        ...names.map((name) => `CREATE TABLE ${id(schema)}.${id(name)} AS SELECT 1 AS n`),
      ]);
      const half = schemas.flatMap((schema) => names.filter((_, n) => n % 2 === 0).map((name) => table(schema, name)));
      const rest = schemas.flatMap((schema) => names.filter((_, n) => n % 2 === 1).map((name) => table(schema, name)));
      await withDatabase(
        world,
        ['SET client_encoding = UTF8', ...makes],
        async (database) => {
          const cases: readonly (readonly [Selection, readonly ReturnType<typeof table>[]])[] = [
            [{ include: { tables: half } }, half],
            [{ exclude: { tables: half } }, rest],
            [{ include: { schemas: ['A.b'] } }, names.map((name) => table('A.b', name))],
            [{ exclude: { schemas: ['a', 'A.b'] } }, names.map((name) => table(schemas[2] ?? '', name))],
          ];
          for (const [selection, expected] of cases) {
            const archive = await dumpOf(world, database, world.superuser, selection);
            const wanted = expected.map(key).sort();
            expect(archive.tables.map(key).sort()).toEqual(wanted);
            expect(await comesBack(world, archive, ({ rows }) => [...rows.keys()].sort())).toEqual(wanted);
          }
          const emptied = await dumpOf(world, database, world.superuser, { exclude: { tableData: half } });
          const { rows } = await comesBack(world, emptied, (restored) => restored);
          const withoutRows = [...rows].filter(([, count]) => count === 0).map(([name]) => name);
          expect(rows.size).toBe(half.length + rest.length);
          expect(withoutRows.sort()).toEqual(half.map(key).sort());
        },
        `ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
      );
    },
    120_000,
  );

  test('what a part needs comes along, and nothing else', async () => {
    const world = await worldOf(major);
    const cases: readonly (readonly [Selection, Readonly<Record<string, number>>])[] = [
      // A type of a schema that nobody named, and the identity of a column.
      [{ include: { tables: [table('app', 'person')] } }, { 'app.person': 2 }],
      // A table of an extension's type, the extension in the same schema.
      [{ include: { tables: [table('public', 'tagged')] } }, { 'public.tagged': 0 }],
      // A partitioned table means its partitions, those of partitions too; one can be left out by itself.
      [
        { include: { tables: [table('audit', 'event')] } },
        { 'audit.event': 3, 'audit.event_1': 1, 'audit.event_2': 2, 'audit.event_2a': 2 },
      ],
      [
        { include: { tables: [table('audit', 'event')] }, exclude: { tables: [table('audit', 'event_2')] } },
        { 'audit.event': 1, 'audit.event_1': 1 },
      ],
      [
        { include: { schemas: ['audit'] }, exclude: { tableData: [table('audit', 'event')] } },
        {
          ...{ 'audit.event': 0, 'audit.event_1': 0, 'audit.event_2': 0, 'audit.event_2a': 0 },
          ...{ 'audit.parent': 0, 'audit.child': 0 },
        },
      ],
      [
        { include: { schemas: ['app'] }, exclude: { tables: [table('app', 'visit')] } },
        { 'app.person': 2, 'app.job': 0 },
      ],
      [
        { exclude: { schemas: ['audit'], tables: [table('app', 'job')], tableData: [table('app', 'visit')] } },
        { 'app.person': 2, 'app.visit': 0, 'kinds.unused': 1, 'public.plain': 0, 'public.tagged': 0 },
      ],
      [{ include: { tables: [table('app', 'job'), table('app', 'ticket')] } }, { 'app.job': 0 }],
      // With a table goes what is made of it in the same schema: statistics, privileges to come.
      [
        { include: { schemas: ['audit'] }, exclude: { tables: [table('audit', 'event')] } },
        { 'audit.parent': 0, 'audit.child': 0 },
      ],
      // A schema that extensions were put into stays for them, though it was excluded.
      [
        { exclude: { schemas: ['audit', 'public'], tables: [table('kinds', 'unused')] } },
        { 'app.person': 2, 'app.visit': 3, 'app.job': 0 },
      ],
    ];
    await withDatabase(world, SHOP, async (database) => {
      for (const [selection, expected] of cases) {
        const archive = await dumpOf(world, database, world.superuser, selection);
        await comesBack(world, archive, async ({ rows, query }) => {
          const found = Object.entries(expected).map(([name, count]) => [JSON.stringify(name.split('.')), count]);
          expect([...rows].sort()).toEqual(found.sort());
          expect(await query('SELECT lo_get(4711) AS what')).toHaveLength(1);
          expect(await query('SELECT pubname FROM pg_publication')).toEqual([]);
          expect(await query(`SELECT extname FROM pg_extension WHERE extname = 'hstore'`)).toHaveLength(1);
        });
      }
    });
  }, 120_000);
});

describe.each(MAJORS_WITH_PROGRAMS.filter(atEnds))('on PostgreSQL %i', (major) => {
  test.each<[string, Selection, string, string]>([
    [
      'rows that point to a table that is left out',
      { exclude: { tables: [table('app', 'person')] } },
      'constraint by_whom on table app.visit needs table app.person',
      'take out of exclude: "app"."person"; or leave out what needs it as well',
    ],
    [
      'the same, where it was not included',
      { include: { tables: [table('app', 'visit')] } },
      'constraint by_whom on table app.visit needs table app.person',
      'add to include.tables: "app"."person"; or leave out what needs it as well',
    ],
    [
      'a view of a table that is left out',
      { include: { tables: [table('app', 'sad')] } },
      'view app.sad needs table app.person',
      'add to include.tables: "app"."person"',
    ],
    [
      'a type of a schema that is left out',
      { exclude: { schemas: ['kinds'] } },
      'needs type kinds.mood',
      'exclude the tables of the schema, not the schema: "kinds"',
    ],
    [
      'rows that point to rows that are left out',
      { exclude: { tableData: [table('app', 'person')] } },
      'rows of "app"."visit" point to rows of "app"."person", which are left out (foreign key "by_whom")',
      'leave out the rows of both in exclude.tableData, or of neither',
    ],
    [
      'a partition without its table',
      { include: { tables: [table('audit', 'event_1')] } },
      'table audit.event_1 needs table audit.event',
      'add to include.tables: "audit"."event"',
    ],
    [
      'rows that may be in a partition that is left out',
      { exclude: { tables: [table('audit', 'felt_2')] } },
      'which partition of "audit"."felt" a row is in differs from database to database, so its rows need all of them',
      'take out of exclude: "audit"."felt_2"; or leave out their rows instead, in exclude.tableData; or leave out the whole table',
    ],
    [
      'a table without the one that it inherits from',
      { exclude: { tables: [table('audit', 'parent')] } },
      'table audit.child needs table audit.parent',
      'take out of exclude: "audit"."parent"',
    ],
    [
      'a default from a sequence that is left out',
      { include: { tables: [table('app', 'job')] } },
      'needs sequence app.ticket',
      'add to include.tables: "app"."ticket"',
    ],
  ])('refused, since it could not be restored: %s', async (_, selection, message, hint) => {
    const world = await worldOf(major);
    await withDatabase(world, [...SHOP, ...FELT], async (database) => {
      await expect(
        postgres.openSource(world.access(database), world.superuser, world.context, selection),
      ).rejects.toMatchObject({
        reason: 'SelectionIncomplete',
        message: expect.stringContaining(message),
        hint: expect.stringContaining(hint),
        outlook: 'final',
      });
    });
  });

  test("names that are nobody's are told, all of them", async () => {
    const world = await worldOf(major);
    const selection = {
      include: {
        schemas: ['App', 'app'],
        tables: [table('app', 'PERSON'), table('app', 'app.person'), table('app', 'visit_pkey')],
      },
      exclude: { schemas: ['pg_catalog'], tables: [table('app', 'person_id_seq')], tableData: [table('app', 'sad')] },
    };
    await withDatabase(world, SHOP, async (database) => {
      const opening = postgres.openSource(world.access(database), world.superuser, world.context, selection);
      await expect(opening).rejects.toMatchObject({ reason: 'SelectionNotFound', outlook: 'retry' });
      await expect(opening).rejects.toThrow(
        'the database has no schema "App" of include.schemas, table "app"."PERSON" of include.tables, table "app"."app.person" of include.tables, table "app"."visit_pkey" of include.tables, schema "pg_catalog" of exclude.schemas and 2 more',
      );
    });
  });
});

describe('an archive of a part', () => {
  const PARTS: readonly (readonly [string, Selection])[] = [
    ['that includes', { include: { tables: [table('public', 'kept')] } }],
    ['that excludes', { exclude: { tables: [table('public', 'lost')] } }],
    ['that lacks only rows', { exclude: { tableData: [table('public', 'lost')] } }],
  ];
  const BOTH = ['CREATE TABLE kept AS SELECT 1 AS n', 'CREATE TABLE lost AS SELECT 2 AS n'];

  test.each(PARTS)(
    '%s never takes the place of a database, whatever is asked',
    async (_, selection) => {
      const world = await worldOf(17);
      await withDatabase(world, BOTH, async (database) => {
        const archive = await dumpOf(world, database, world.superuser, selection);
        const before = await world.print(database);
        for (const onConflict of ['Fail', 'Replace'] as const) {
          const request = requestFor(archive, database, { onConflict });
          await using target = await postgres.openTarget(
            world.access(database),
            world.superuser,
            request,
            world.context,
          );
          const plan = await target.plan();
          if (onConflict === 'Replace') expect(plan).toMatchObject({ inPlace: true });
          else {
            expect(plan.refusals).toMatchObject([
              { reason: 'PartialArchive', hint: expect.stringContaining('target.postgresql.database') },
            ]);
          }
          // Asked again at the last moment: the database may have been filled meanwhile.
          await loadInto(target, archive);
          await expect(target.swap(inTheFuture())).rejects.toMatchObject({ reason: 'PartialArchive' });
          await target.dropScratch();
        }
        expect(await world.print(database)).toEqual(before);
      });
    },
    60_000,
  );

  test('goes into a database that is empty', async () => {
    const world = await worldOf(17);
    await withDatabase(world, BOTH, async (database) => {
      const archive = await dumpOf(world, database, world.superuser, {
        include: { tables: [table('public', 'kept')] },
      });
      await world.sql('postgres', 'CREATE DATABASE "part of it" TEMPLATE template0');
      expect(await comesBack(world, archive, ({ rows }) => [...rows.keys()])).toEqual(['["public","kept"]']);
      const previous = (await world.databases()).filter((name) => name.startsWith('part of it'));
      for (const name of previous) await world.sql('postgres', `DROP DATABASE ${id(name)}`);
    });
  }, 60_000);

  test('of which nothing is left is refused', async () => {
    const world = await worldOf(17);
    await withDatabase(world, BOTH, async (database) => {
      const selection = {
        include: { tables: [table('public', 'kept')] },
        exclude: { tables: [table('public', 'kept')] },
      };
      const opening = postgres.openSource(world.access(database), world.superuser, world.context, selection);
      await expect(opening).rejects.toMatchObject({ reason: 'SelectionEmpty' });
    });
  });
});
