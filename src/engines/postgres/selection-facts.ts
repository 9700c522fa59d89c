import { ofExtension, USER_SCHEMA } from './catalogue.ts';
import type { Session } from './connection.ts';
import { rowsMayMove } from './partitions.ts';
import type { Codes } from './patterns.ts';

export interface SchemaFacts {
  readonly oid: number;
  readonly name: string;
  /** An extension made it. */
  readonly ofExtension: boolean;
  /** Extensions were put into it: without it they cannot be made. */
  readonly hostsExtension: boolean;
}

/** What can be selected by name: table, partitioned table, view, materialized view, foreign table, sequence. */
export interface RelationFacts {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: 'r' | 'p' | 'v' | 'm' | 'f' | 'S';
  readonly ofExtension: boolean;
  /** The partitioned table that it is a part of, or the table whose column a sequence belongs to. */
  readonly parent: number | null;
  /** Of a partitioned table: which of its partitions a row is in may differ from database to database. */
  readonly rowsMayMove: boolean;
}

/** A foreign key whose rows a restore will check. */
export interface ForeignKeyFacts {
  readonly name: string;
  readonly table: number;
  readonly references: number;
}

export interface SelectionFacts {
  readonly schemas: readonly SchemaFacts[];
  readonly relations: readonly RelationFacts[];
  readonly foreignKeys: readonly ForeignKeyFacts[];
}

/** Something that is kept and needs something that is left out. */
export interface Need {
  readonly object: string;
  readonly needs: string;
  /** The relation that is needed; null: something else of the schema. */
  readonly relation: number | null;
  readonly schema: number;
}

const RELATIONS = `('r', 'p', 'v', 'm', 'f', 'S')`;

const SCHEMAS = `
  SELECT n.oid, n.nspname AS name, ${ofExtension('pg_namespace', 'n.oid')} AS "ofExtension",
    EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid) AS "hostsExtension"
  FROM pg_namespace n WHERE ${USER_SCHEMA} ORDER BY n.nspname`;

const RELATIONS_OF_PEOPLE = `
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, ${ofExtension('pg_class', 'c.oid')} AS "ofExtension",
    CASE
      WHEN c.relispartition THEN (SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid)
      WHEN c.relkind = 'S' THEN (
        SELECT d.refobjid FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
          AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1)
    END AS parent,
    c.relkind = 'p' AND ${rowsMayMove('c.oid')} AS "rowsMayMove"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ${RELATIONS} AND ${USER_SCHEMA} ORDER BY n.nspname, c.relname`;

const FOREIGN_KEYS = (major: number) => `
  SELECT c.conname AS name, c.conrelid AS "table", c.confrelid AS "references"
  FROM pg_constraint c
  WHERE c.contype = 'f' AND c.convalidated AND c.conrelid <> c.confrelid ${major >= 18 ? 'AND c.conenforced' : ''}
  ORDER BY 1`;

export async function selectionFacts(session: Session): Promise<SelectionFacts> {
  return {
    schemas: await session.query<SchemaFacts>(SCHEMAS),
    relations: await session.query<RelationFacts>(RELATIONS_OF_PEOPLE),
    foreignKeys: await session.query<ForeignKeyFacts>(FOREIGN_KEYS(session.server.major)),
  };
}

/** Kinds of object that are in a schema beside relations, over the column that names it. */
const WITHIN_SCHEMAS: readonly (readonly [catalogue: string, schema: string, which?: string])[] = [
  ['pg_proc', 'pronamespace'],
  // Of relations and arrays the relation or the element is what counts.
  [
    'pg_type',
    'typnamespace',
    `(o.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = o.typrelid AND c.relkind = 'c'))
       AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = o.oid)`,
  ],
  ['pg_operator', 'oprnamespace'],
  ['pg_opclass', 'opcnamespace'],
  ['pg_opfamily', 'opfnamespace'],
  ['pg_collation', 'collnamespace'],
  ['pg_conversion', 'connamespace'],
  ['pg_ts_config', 'cfgnamespace'],
  ['pg_ts_dict', 'dictnamespace'],
  ['pg_ts_parser', 'prsnamespace'],
  ['pg_ts_template', 'tmplnamespace'],
  ['pg_statistic_ext', 'stxnamespace'],
];

/**
 * Follows the server's own notes of what needs what. With a table go its indexes, constraints, rules, triggers, defaults
 * and policies (automatic and internal dependencies); what then still needs something of it is in the way.
 */
const NEEDS = `
  WITH RECURSIVE gone(class, oid, schema) AS (
    SELECT 'pg_class'::regclass::oid, c.oid, c.relnamespace FROM pg_class c WHERE c.oid = ANY ($2::oid[])
    UNION ALL SELECT 'pg_namespace'::regclass, n.oid, n.oid FROM pg_namespace n WHERE n.oid = ANY ($1::oid[])
    ${WITHIN_SCHEMAS.map(
      ([catalogue, schema, which = 'true']) => `
    UNION ALL SELECT '${catalogue}'::regclass, o.oid, o.${schema} FROM ${catalogue} o
      WHERE o.${schema} = ANY ($1::oid[]) AND ${which} AND NOT ${ofExtension(catalogue, 'o.oid')}`,
    ).join('')}
  ), with_them(class, oid, root_class, root, schema) AS (
    SELECT class, oid, class, oid, schema FROM gone
    UNION
    SELECT d.classid, d.objid, w.root_class, w.root, w.schema
    FROM with_them w JOIN pg_depend d ON d.refclassid = w.class AND d.refobjid = w.oid
    WHERE d.deptype IN ('a', 'i', 'S')
      AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind IN ${RELATIONS}))
  )
  SELECT DISTINCT
    CASE WHEN r.rulename = '_RETURN' THEN pg_describe_object('pg_class'::regclass, r.ev_class, 0)
      ELSE pg_describe_object(d.classid, d.objid, 0) END AS object,
    pg_describe_object(w.root_class, w.root, 0) AS needs,
    CASE WHEN w.root_class = 'pg_class'::regclass THEN w.root END AS relation, w.schema
  FROM with_them w
    JOIN pg_depend d ON d.refclassid = w.class AND d.refobjid = w.oid
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
  WHERE d.deptype IN ('n', 'a') AND d.classid NOT IN ('pg_publication'::regclass, 'pg_publication_rel'::regclass)
    AND NOT EXISTS (SELECT FROM with_them k WHERE k.class = d.classid AND k.oid = d.objid)
  ORDER BY 1, 2`;

export async function needsOf(
  session: Session,
  schemas: readonly number[],
  relations: readonly number[],
): Promise<readonly Need[]> {
  return session.query<Need>(NEEDS, [schemas, relations]);
}

const NAMES = `
  SELECT o.oid, ARRAY(
    SELECT encode(convert_to(letter, getdatabaseencoding()), 'hex')
    FROM regexp_split_to_table(o.name, '') WITH ORDINALITY l (letter, place) ORDER BY place) AS codes
  FROM (SELECT oid, relname::text AS name FROM pg_class UNION ALL SELECT oid, nspname FROM pg_namespace) o
  WHERE o.oid = ANY ($1::oid[])`;

/**
 * The names of schemas and relations, by their oids. In UTF-8 a character's code is its code point, in all other
 * encodings its bytes one after the other; and a name in SQL_ASCII need not be text at all.
 */
export async function codesOf(
  session: Session,
  named: readonly { readonly oid: number; readonly name: string }[],
): Promise<ReadonlyMap<number, Codes>> {
  const [row] = await session.query<{ encoding: string }>('SELECT getdatabaseencoding() AS encoding');
  if (row?.encoding === 'UTF8') return new Map(named.map(({ oid, name }) => [oid, codePoints(name)]));
  const rows = await session.query<{ oid: number; codes: readonly string[] }>(NAMES, [named.map(({ oid }) => oid)]);
  return new Map(rows.map(({ oid, codes }) => [oid, codes.map((hex) => Number.parseInt(hex, 16))]));
}

const codePoints = (name: string): Codes => [...name].map((letter) => letter.codePointAt(0) ?? 0);
