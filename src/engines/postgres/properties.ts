import type { DatabaseProperties, DatabaseSetting } from '../../archive/contents.ts';
import type { Session } from './connection.ts';
import { type DatabaseNotes, readNotes } from './marker.ts';

/** A database as the server's catalogue has it. */
export interface DatabaseFacts {
  readonly oid: string;
  readonly properties: DatabaseProperties;
  readonly notes: DatabaseNotes;
  readonly allowsConnections: boolean;
  readonly isTemplate: boolean;
}

interface DatabaseRow {
  readonly oid: string;
  readonly owner: string;
  readonly encoding: string;
  readonly provider: string;
  readonly collate: string;
  readonly ctype: string;
  readonly locale: string | null;
  readonly icuRules: string | null;
  readonly tablespace: string;
  readonly connectionLimit: number;
  readonly comment: string | null;
  readonly acl: string[] | null;
  readonly allowsConnections: boolean;
  readonly isTemplate: boolean;
}

/** Columns that came with 15 (provider, daticulocale), 16 (daticurules) and 17 (datlocale) are read by name, so that one query fits all. */
const DATABASE = `
  SELECT d.oid::text AS oid, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
    coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
    d.datcollate AS collate, d.datctype AS ctype,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
    to_jsonb(d) ->> 'daticurules' AS "icuRules",
    t.spcname AS tablespace, d.datconnlimit AS "connectionLimit",
    shobj_description(d.oid, 'pg_database') AS comment, d.datacl::text[] AS acl,
    d.datallowconn AS "allowsConnections", d.datistemplate AS "isTemplate"
  FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
  WHERE d.datname = $1`;

const SETTINGS = `
  SELECT CASE WHEN s.setrole <> 0 THEN pg_get_userbyid(s.setrole) END AS role, item
  FROM pg_db_role_setting s, unnest(s.setconfig) WITH ORDINALITY AS u (item, position)
  WHERE s.setdatabase = $1::oid
  ORDER BY s.setrole, position`;

/** Undefined where there is no such database. Any role may ask, from any database. */
export async function describeDatabase(session: Session, name: string): Promise<DatabaseFacts | undefined> {
  const [row] = await session.query<DatabaseRow>(DATABASE, [name]);
  if (row === undefined) return undefined;
  const settings = await session.query<{ role: string | null; item: string }>(SETTINGS, [row.oid]);
  const notes = readNotes(row.comment);
  return {
    oid: row.oid,
    properties: propertiesOf(row, settings.map(settingOf), notes.comment),
    notes,
    allowsConnections: row.allowsConnections,
    isTemplate: row.isTemplate,
  };
}

function propertiesOf(row: DatabaseRow, settings: DatabaseSetting[], comment: string | undefined): DatabaseProperties {
  return {
    owner: row.owner,
    encoding: row.encoding,
    localeProvider: row.provider,
    collate: row.collate,
    ctype: row.ctype,
    ...(row.locale === null ? {} : { locale: row.locale }),
    ...(row.icuRules === null ? {} : { icuRules: row.icuRules }),
    tablespace: row.tablespace,
    connectionLimit: row.connectionLimit,
    ...(comment === undefined ? {} : { comment }),
    ...(row.acl === null ? {} : { acl: row.acl }),
    settings,
  };
}

/** The catalogue keeps `name=value`; a name has no `=`, a value may. */
export function settingOf({ role, item }: { readonly role: string | null; readonly item: string }): DatabaseSetting {
  const split = item.indexOf('=');
  return { ...(role === null ? {} : { role }), name: item.slice(0, split), value: item.slice(split + 1) };
}
