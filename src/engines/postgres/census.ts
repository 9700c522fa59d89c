import type { Census } from '../engine.ts';
import type { Session } from './connection.ts';
import { identifier } from './sql.ts';

/** Tables that hold rows of their own: partitions are, what they are partitions of is not. */
const TABLES = `
  SELECT n.nspname AS schema, c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  ORDER BY 1, 2`;

/** Every row is read: that a database can be read to its end is half of what a drill is for. */
export async function census(session: Session): Promise<Census> {
  const found = await session.query<{ schema: string; name: string }>(TABLES);
  const tables: Census['tables'][number][] = [];
  for (const { schema, name } of found) {
    const table = `${identifier(schema)}.${identifier(name)}`;
    // Rows of tables that inherit from it are counted with those.
    const [row] = await session.query<{ rows: string }>(`SELECT count(*) AS rows FROM ONLY ${table}`);
    tables.push({ schema, name, rows: Number(row?.rows ?? 0) });
  }
  const [size] = await session.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
  return { bytes: Number(size?.bytes ?? 0), tables: tables.toSorted((a, b) => b.rows - a.rows) };
}
