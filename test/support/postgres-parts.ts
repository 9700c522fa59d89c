/** Parts of random databases: what is asked for, and what must come of it. Written by another way than the engine's. */
import type { Selection } from '../../src/api/postgresql-selection.ts';
import type { Fingerprint } from './postgres-fingerprint.ts';
import type { Random } from './postgres-random.ts';
import type { PostgresWorld } from './postgres-world.ts';

export interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  /** As the server writes it. */
  readonly text: string;
  /** Itself, the tables that it is a partition of, and for the sequence of a column its table. */
  readonly line: readonly string[];
}

const RELATIONS = `
  SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, c.oid::regclass::text AS text,
    (WITH RECURSIVE line(oid) AS (
       SELECT c.oid UNION
       SELECT coalesce(i.inhparent, (SELECT refobjid FROM pg_depend d WHERE d.objid = line.oid AND d.classid = 'pg_class'::regclass
           AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND k.relkind = 'S' AND d.deptype IN ('a', 'i') LIMIT 1))
       FROM line JOIN pg_class k ON k.oid = line.oid LEFT JOIN pg_inherits i ON i.inhrelid = line.oid AND k.relispartition
       WHERE line.oid IS NOT NULL)
     SELECT array_agg(oid::regclass::text) FROM line WHERE oid IS NOT NULL) AS line
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.objid = c.oid AND x.classid = 'pg_class'::regclass AND x.deptype = 'e')
  ORDER BY 1, 2`;

export async function relationsOf(world: PostgresWorld, database: string): Promise<readonly Relation[]> {
  const client = world.client(database);
  await client.connect();
  try {
    await client.query('SET search_path = pg_catalog');
    await client.query(
      `SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE current_setting('server_encoding') = 'SQL_ASCII'`,
    );
    return (await client.query(RELATIONS)).rows as Relation[];
  } finally {
    await client.end();
  }
}

export function randomSelection(random: Random, relations: readonly Relation[]): Selection {
  const namable = relations.filter(({ kind, line }) => kind !== 'S' || line.length === 1);
  const tables = (chance: number, list = namable) => {
    const some = random.chance(chance) ? random.some(list, random.pick([1, 3, list.length])) : [];
    return some.map(({ schema, name }) => ({ schema, name }));
  };
  const schemas = (chance: number) =>
    random.chance(chance) ? [...random.some([...new Set(relations.map(({ schema }) => schema))], 2)] : [];
  const withRows = namable.filter(({ kind }) => 'rp'.includes(kind));
  const [include, exclude] = [
    random.chance(0.5) ? filled({ schemas: schemas(0.7), tables: tables(0.6) }) : {},
    filled({ schemas: schemas(0.2), tables: tables(0.4), tableData: tables(0.4, withRows) }),
  ];
  return filled({ include, exclude });
}

/** Without what is empty. */
const filled = <T extends object>(object: T): Partial<T> =>
  Object.fromEntries(
    Object.entries(object).filter(([, value]) => Object.keys(value as object).length > 0),
  ) as Partial<T>;

const named = (list: readonly { schema: string; name: string }[] | undefined, relations: readonly Relation[]) =>
  new Set(
    relations
      .filter(({ schema, name }) => list?.some((one) => one.schema === schema && one.name === name))
      .map(({ text }) => text),
  );
const within = (list: readonly string[] | undefined, relations: readonly Relation[]) =>
  new Set(relations.filter(({ schema }) => list?.includes(schema)).map(({ text }) => text));

export function meant(relations: readonly Relation[], { include, exclude }: Selection): readonly Relation[] {
  const wanted = new Set([...named(include?.tables, relations), ...within(include?.schemas, relations)]);
  const unwanted = new Set([...named(exclude?.tables, relations), ...within(exclude?.schemas, relations)]);
  return relations.filter(
    ({ line }) =>
      (include === undefined || line.some((one) => wanted.has(one))) && !line.some((one) => unwanted.has(one)),
  );
}

const rowsOf = (print: Fingerprint, kind: string) => (print.schema[kind] ?? []) as readonly Record<string, unknown>[];

export const namesIn = (print: Fingerprint) =>
  rowsOf(print, 'relations')
    .map((row) => `${row['nspname']}.${row['relname']}`)
    .sort();

/** Everything of these relations. */
export function seen(print: Fingerprint, relations: readonly Relation[]): unknown {
  const texts = new Set(relations.map(({ text }) => text));
  const names = new Set(relations.map(({ schema, name }) => `${schema}.${name}`));
  const of = (kind: string) => rowsOf(print, kind).filter((row) => texts.has(String(row['relation'] ?? row['of'])));
  return {
    ...Object.fromEntries(['columns', 'constraints', 'triggers', 'policies', 'rules'].map((kind) => [kind, of(kind)])),
    // That of a partitioned table becomes valid when a partition that lacks it is left out.
    indexes: of('indexes').map(({ valid: _, ...row }) => row),
    relations: rowsOf(print, 'relations').filter((row) => names.has(`${row['nspname']}.${row['relname']}`)),
    sequences: rowsOf(print, 'sequences').filter((row) => texts.has(String(row['name']))),
  };
}

/** Of ordinary tables; a partitioned one has the rows of its partitions, and they may be left out. */
export function rowsIn(print: Fingerprint, expected: readonly Relation[]): Fingerprint['rows'] {
  const tables = new Set(expected.filter(({ kind }) => kind === 'r').map(({ text }) => `ONLY ${text}`));
  return Object.fromEntries(Object.entries(print.rows).filter(([name]) => tables.has(name)));
}

export function withoutRowsOf(
  rows: Fingerprint['rows'],
  relations: readonly Relation[],
  { exclude }: Selection,
): Fingerprint['rows'] {
  const emptied = named(exclude?.tableData, relations);
  return Object.fromEntries(
    Object.entries(rows).map(([name, value]) => [
      name,
      emptied.has(name.replace(/^ONLY /, '')) ? { count: '0', hash: '0' } : value,
    ]),
  );
}
