import type { Session } from './connection.ts';

/** Schemas of people, without what an extension brought along. */
const USER_SCHEMA = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
const NO_EXTENSION = (catalogue: string) =>
  `NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = '${catalogue}'::regclass AND x.objid = o.oid AND x.deptype = 'e')`;

const TABLES = `
  SELECT n.nspname AS schema, o.relname AS name
  FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
  WHERE o.relkind IN ('r', 'p') AND ${USER_SCHEMA} AND ${NO_EXTENSION('pg_class')}
  ORDER BY 1, 2`;

/** What people made, and no template brought along: below this number are the objects of initdb. */
const MADE_LATER = `o.oid >= 16384`;

/** Kinds of object that bear a schema: what selects those that count, over the column that names their schema. */
const WITHIN_SCHEMAS: readonly (readonly [catalogue: string, schema: string, which: string])[] = [
  ['pg_class', 'relnamespace', `o.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')`],
  ['pg_proc', 'pronamespace', 'true'],
  // Types that come alone: enums, domains, row types that are no table's. Ranges and new base types come with functions.
  [
    'pg_type',
    'typnamespace',
    `(o.typtype IN ('e', 'd') OR EXISTS (SELECT FROM pg_class c WHERE c.oid = o.typrelid AND c.relkind = 'c'))`,
  ],
  ['pg_collation', 'collnamespace', 'true'],
  ['pg_operator', 'oprnamespace', 'true'],
  ['pg_ts_config', 'cfgnamespace', 'true'],
  ['pg_ts_dict', 'dictnamespace', 'true'],
];

const WITHOUT_SCHEMA = [
  'pg_cast',
  'pg_event_trigger',
  'pg_foreign_data_wrapper',
  'pg_foreign_server',
  'pg_publication',
] as const;

/** What would be gone if the database were: a database that has any of it is not empty. */
const COUNT = `SELECT ${[
  ...WITHIN_SCHEMAS.map(
    ([catalogue, schema, which]) => `
    (SELECT count(*) FROM ${catalogue} o JOIN pg_namespace n ON n.oid = o.${schema}
     WHERE ${which} AND ${USER_SCHEMA} AND ${MADE_LATER} AND ${NO_EXTENSION(catalogue)})`,
  ),
  ...WITHOUT_SCHEMA.map(
    (catalogue) => `
    (SELECT count(*) FROM ${catalogue} o WHERE ${MADE_LATER} AND ${NO_EXTENSION(catalogue)})`,
  ),
  // A new database has a schema public, which some make anew.
  `
    (SELECT count(*) FROM pg_namespace n, LATERAL (SELECT n.oid) o
     WHERE ${USER_SCHEMA} AND n.nspname <> 'public' AND ${MADE_LATER} AND ${NO_EXTENSION('pg_namespace')})`,
  `
    (SELECT count(*) FROM pg_largeobject_metadata)`,
].join(' +')} AS objects`;

export async function listTables(session: Session): Promise<readonly { schema: string; name: string }[]> {
  return session.query(TABLES);
}

export async function countObjects(session: Session): Promise<number> {
  const [row] = await session.query<{ objects: string }>(COUNT);
  return Number(row?.objects);
}
