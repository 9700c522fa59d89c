import { ofExtension, USER_SCHEMA } from './catalogue.ts';
import type { Session } from './connection.ts';
import { codeOf } from './faults.ts';
import { identifier } from './sql.ts';

const NO_EXTENSION = (catalogue: string) => `NOT ${ofExtension(catalogue, 'o.oid')}`;

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

/**
 * Tables of extensions in which people keep rows, such as the jobs of pg_cron: those that the extension marked for dumps,
 * each with the condition that tells people's rows from its own.
 */
const KEPT_BY_EXTENSIONS = `
  SELECT n.nspname AS schema, c.relname AS name, k.condition, has_table_privilege(c.oid, 'SELECT') AS readable
  FROM pg_extension e, unnest(e.extconfig, e.extcondition) k (oid, condition)
    JOIN pg_class c ON c.oid = k.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p')`;

interface KeptTable {
  readonly schema: string;
  readonly name: string;
  readonly condition: string;
  readonly readable: boolean;
}

/** How many of them have rows. One that we may not look into counts: nothing tells that it is empty. */
async function countKeptTables(session: Session): Promise<number> {
  const tables = await session.query<KeptTable>(KEPT_BY_EXTENSIONS);
  // Rows that a policy hides are an error then, not an empty table.
  if (tables.length > 0) await session.query('SET row_security = off');
  let count = 0;
  for (const table of tables) {
    if (!table.readable || (await hasRows(session, table))) count += 1;
  }
  return count;
}

async function hasRows(session: Session, { schema, name, condition }: KeptTable): Promise<boolean> {
  const table = `${identifier(schema)}.${identifier(name)}`;
  try {
    const [row] = await session.query<{ found: boolean }>(`SELECT EXISTS (SELECT FROM ${table} ${condition}) AS found`);
    return row?.found !== false;
  } catch (caught) {
    // Row security, a function of the condition that is not ours to call: again nothing tells.
    if (codeOf(caught) === undefined) throw caught;
    return true;
  }
}

export async function countObjects(session: Session): Promise<number> {
  const [row] = await session.query<{ objects: string }>(COUNT);
  return Number(row?.objects) + (await countKeptTables(session));
}
