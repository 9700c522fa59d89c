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

/** Tables, views, sequences, functions and large objects: what would be gone if the database were. */
const COUNT = `
  SELECT (SELECT count(*) FROM pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace
          WHERE o.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${USER_SCHEMA} AND ${NO_EXTENSION('pg_class')})
       + (SELECT count(*) FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace
          WHERE ${USER_SCHEMA} AND ${NO_EXTENSION('pg_proc')})
       + (SELECT count(*) FROM pg_largeobject_metadata) AS objects`;

export async function listTables(session: Session): Promise<readonly { schema: string; name: string }[]> {
  return session.query(TABLES);
}

export async function countObjects(session: Session): Promise<number> {
  const [row] = await session.query<{ objects: string }>(COUNT);
  return Number(row?.objects);
}
