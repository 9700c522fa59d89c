/**
 * Partitions by a hash. Some values hash to something else in every database, as their hash is that of an object's number:
 * then a row may be another partition's once it is restored, and the one that it was in does not take it.
 */
import type { Session } from './connection.ts';

/** Their hashes are those of what they hold, which may be an enum. */
const OF_WHAT_THEY_HOLD = `('array_ops', 'record_ops', 'range_ops', 'multirange_ops')`;

const keyIs = (table: string, operatorClasses: string) => `
  EXISTS (
    SELECT FROM pg_partitioned_table p
      JOIN pg_opclass o ON o.oid = ANY (p.partclass)
      JOIN pg_am a ON a.oid = o.opcmethod
    WHERE p.partrelid = ${table} AND p.partstrat = 'h' AND a.amname = 'hash'
      AND o.opcnamespace = 'pg_catalog'::regnamespace AND o.opcname IN ${operatorClasses})`;

/** `regclass` and its like: names to people, numbers of objects to a hash. */
const keyNamesObjects = (table: string) => `
  EXISTS (
    SELECT FROM pg_partitioned_table p
      JOIN pg_attribute k ON k.attrelid = p.partrelid AND k.attnum = ANY (p.partattrs)
      JOIN pg_type t ON t.oid = k.atttypid
    WHERE p.partrelid = ${table} AND p.partstrat = 'h'
      AND t.typnamespace = 'pg_catalog'::regnamespace AND t.typname ~ '^reg')`;

const isUnknownToPgDump = (table: string) => `(${keyIs(table, OF_WHAT_THEY_HOLD)} OR ${keyNamesObjects(table)})`;

/** A condition: rows of this table may be another partition's in another database. */
export const rowsMayMove = (table: string) => `(${keyIs(table, `('enum_ops')`)} OR ${isUnknownToPgDump(table)})`;

/**
 * What pg_dump is to be told. By itself it has rows come by way of the partitioned table for an enum alone (the key's own
 * type, `getPartitioningInfo` in pg_dump.c); a dump of the others would be none that can be restored.
 */
export async function argumentsForPartitions(session: Session): Promise<readonly string[]> {
  const [row] = await session.query<{ some: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_class c WHERE c.relkind = 'p' AND ${isUnknownToPgDump('c.oid')}) AS some`,
  );
  return row?.some === true ? ['--load-via-partition-root'] : [];
}
