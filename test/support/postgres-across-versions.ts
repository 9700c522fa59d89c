/** Databases of different major versions, held against each other. */
import type { Fingerprint } from './postgres-fingerprint.ts';

/**
 * A fingerprint without what another major version shows in other words, brings along in newer extensions, or does by
 * itself: rights on schema public (15), the privilege MAINTAIN (17), names for NOT NULL (18).
 */
export function acrossVersions({ database, rows, schema }: Fingerprint): unknown {
  const without = (kind: string, ...fields: readonly string[]) =>
    rowsOf(schema, kind).map((row) =>
      Object.fromEntries(Object.entries(row).filter(([field]) => !fields.includes(field))),
    );
  const kept = Object.entries(schema).filter(([kind]) => !TOLD_DIFFERENTLY.includes(kind));
  return withoutMaintain({
    // Providers of locales have names since 15.
    database: { ...(database as object), provider: undefined },
    rows,
    ...Object.fromEntries(kept),
    schemas: rowsOf(schema, 'schemas').filter((row) => row['nspname'] !== 'public'),
    relations: without('relations', 'query'),
    // Where the database says quote_all_identifiers, names that are words of SQL are quoted by some versions only.
    columns: without('columns', 'statistics', 'compression').map((row) => ({
      ...row,
      type: String(row['type']).replaceAll('"', ''),
    })),
    constraints: rowsOf(schema, 'constraints').filter((row) => !String(row['definition']).startsWith('NOT NULL')),
    indexes: without('indexes', 'statistics'),
    statistics: without('statistics', 'target'),
    publications: without('publications', 'definition'),
    extensions: without('extensions', 'extversion'),
    // A range type makes functions for its multiranges by itself (14).
    functions: rowsOf(schema, 'functions').filter(
      (row) => !/LANGUAGE "?(c|internal)"?\s/.test(String(row['definition'])),
    ),
  });
}

/** Of any database what every version tells alike: columns, rows, where sequences stand, and what is said of the whole. */
export function tablesAcrossVersions(print: Fingerprint): unknown {
  const all = acrossVersions(print) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(all).filter(([kind]) => OF_TABLES.includes(kind)));
}

const OF_TABLES = ['database', 'rows', 'columns', 'sequences'];

const TOLD_DIFFERENTLY = ['rules', 'collations', 'extensionDependencies'];

export const rowsOf = (schema: Fingerprint['schema'], kind: string) =>
  (schema[kind] ?? []) as readonly Record<string, unknown>[];

function withoutMaintain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, part: unknown) =>
    Array.isArray(part) ? part.filter((item) => !/ MAINTAIN\*?$/.test(String(item))) : part,
  );
}
