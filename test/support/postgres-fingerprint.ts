/** All that can be seen of a database, as a value to compare: two databases with equal fingerprints are the same to an app. */
import pg from 'pg';

export interface Fingerprint {
  /** Owner, encoding, locale, limits, comment (without our own notes), privileges, settings. */
  readonly database: unknown;
  /** Count and order-free hash of the rows of each table, by `schema.name`. */
  readonly rows: Readonly<Record<string, { readonly count: string; readonly hash: string }>>;
  /** Definitions, owners, privileges and comments, by kind. */
  readonly schema: Readonly<Record<string, readonly unknown[]>>;
}

/** Connect as a superuser: whoever sees less, fingerprints less. */
export async function fingerprint(config: pg.ClientConfig): Promise<Fingerprint> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    await client.query(
      `SET default_transaction_read_only = off; SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex'`,
    );
    // In an SQL_ASCII database a name need not be text, and as UTF-8 it would be an error.
    await client.query(
      `SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE current_setting('server_encoding') = 'SQL_ASCII'`,
    );
    await client.query(ANSWER);
    return {
      database: (await client.query(DATABASE)).rows[0],
      rows: await rowsOf(client),
      schema: await schemaOf(client),
    };
  } finally {
    await client.end();
  }
}

/** The answer to a query that is made of names: they stay on the server, whatever their bytes. */
const ANSWER = `
  CREATE FUNCTION pg_temp.answer(query text) RETURNS jsonb LANGUAGE plpgsql AS
  'DECLARE found jsonb; BEGIN EXECUTE query INTO found; RETURN found; END'`;

const MINE = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
const acl = (column: string, kind: string, owner: string) =>
  `(SELECT array_agg(CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END
      || ' ' || x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END
      ORDER BY CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type)
    FROM aclexplode(coalesce(${column}, acldefault((${kind})::"char", ${owner}))) x)`;

const sorted = (column: string, condition = 'true') =>
  `(SELECT array_agg(item ORDER BY item) FROM unnest(${column}) item WHERE ${condition})`;

/** Since November 2026 servers number the versions of a column in an option of their own. */
const PUBLIC_OPTION = "item !~ '^pg_attver='";

const DATABASE = `
  SELECT pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
    to_jsonb(d) ->> 'datlocprovider' AS provider, d.datcollate AS collate, d.datctype AS ctype,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
    to_jsonb(d) ->> 'daticurules' AS "icuRules",
    t.spcname AS tablespace, d.datconnlimit AS "connectionLimit", d.datallowconn AS "allowsConnections",
    (SELECT string_agg(line, E'\\n' ORDER BY position)
       FROM unnest(string_to_array(shobj_description(d.oid, 'pg_database'), E'\\n')) WITH ORDINALITY u (line, position)
       WHERE line !~ '^holdfast-') AS comment,
    ${acl('d.datacl', "'d'", 'd.datdba')} AS privileges,
    (SELECT array_agg(coalesce(r.rolname, '*') || ': ' || item ORDER BY r.rolname, item)
       FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) item
       WHERE s.setdatabase = d.oid) AS settings
  FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
  WHERE d.datname = current_database()`;

/**
 * A partitioned table counts as a whole: which partition a row lands in follows from the bounds, but for a hash of an
 * enum's label, which is another one in another database.
 */
const TABLES = `
  SELECT CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (c.relkind IN ('r', 'p') OR (c.relkind = 'm' AND c.relispopulated)) AND NOT c.relispartition AND ${MINE}
  ORDER BY 1`;

/** The sum of the hashes of all rows does not depend on their order, as a count of equal ones does not. */
const ROWS = `
  SELECT name, pg_temp.answer(format('
    SELECT jsonb_build_object(''count'', count(*)::text,
      ''hash'', coalesce(sum((''x'' || left(md5("the whole row"::text), 16))::bit(64)::int8::numeric), 0)::text)
    FROM %s "the whole row"', name)) AS rows
  FROM (${TABLES}) tables`;

async function rowsOf(client: pg.Client): Promise<Fingerprint['rows']> {
  const { rows } = await client.query<{ name: string; rows: { count: string; hash: string } }>(ROWS);
  return Object.fromEntries(rows.map((table) => [table.name, table.rows]));
}

async function schemaOf(client: pg.Client): Promise<Fingerprint['schema']> {
  const schema: Record<string, readonly unknown[]> = {};
  for (const [kind, sql] of Object.entries(SCHEMA)) schema[kind] = (await client.query(`${sql} ORDER BY 1, 2, 3`)).rows;
  return schema;
}

const OTHERS = [
  ...['pg_cast', 'pg_operator', 'pg_opclass', 'pg_opfamily', 'pg_conversion', 'pg_ts_dict', 'pg_ts_parser'],
  ...['pg_ts_template', 'pg_foreign_data_wrapper', 'pg_transform', 'pg_am'],
];

/** Each query's first three columns order its rows. */
const SCHEMA: Readonly<Record<string, string>> = {
  sequences: `
    SELECT format('%I.%I', n.nspname, c.relname) AS name, (to_jsonb(s) - 'seqrelid' - 'seqtypid')::text AS definition,
      format_type(s.seqtypid, NULL) AS type,
      (SELECT format('%s.%I %s', a.attrelid::regclass, a.attname, d.deptype)
         FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')) AS "ownedBy",
      pg_temp.answer(format('SELECT jsonb_build_object(''last'', last_value, ''called'', is_called) FROM %I.%I', n.nspname, c.relname)) AS state
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${MINE}`,
  schemas: `
    SELECT n.nspname, pg_get_userbyid(n.nspowner) AS owner, obj_description(n.oid, 'pg_namespace') AS comment,
      ${acl('n.nspacl', "'n'", 'n.nspowner')} AS privileges
    FROM pg_namespace n WHERE ${MINE}`,
  relations: `
    SELECT n.nspname, c.relname, c.relkind::text AS kind, pg_get_userbyid(c.relowner) AS owner,
      ${acl('c.relacl', "CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END", 'c.relowner')} AS privileges, c.relpersistence::text AS persistence,
      c.relrowsecurity AS "rowSecurity", c.relforcerowsecurity AS "forced", c.reloptions AS options,
      c.relreplident::text AS "replicaIdentity", pg_get_expr(c.relpartbound, c.oid) AS bound,
      pg_get_partkeydef(c.oid) AS "partitionKey",
      CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS query, c.relispopulated AS populated,
      obj_description(c.oid, 'pg_class') AS comment,
      (SELECT array_agg(p.inhparent::regclass::text ORDER BY p.inhseqno) FROM pg_inherits p WHERE p.inhrelid = c.oid) AS parents,
      (SELECT spcname FROM pg_tablespace t WHERE t.oid = c.reltablespace) AS tablespace,
      (SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid) AS "toastOptions",
      (SELECT m.amname FROM pg_am m WHERE m.oid = c.relam) AS method, nullif(c.reloftype, 0)::regtype::text AS "ofType"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${MINE} AND c.relkind NOT IN ('i', 'I', 't', 'c')`,
  columns: `
    SELECT c.oid::regclass::text AS relation, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
      row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) AS position,
      a.attnotnull AS "notNull", a.attidentity::text AS identity, a.attgenerated::text AS generated,
      pg_get_expr(d.adbin, d.adrelid) AS value, a.attstorage::text AS storage,
      to_jsonb(a) ->> 'attcompression' AS compression, a.attislocal AS local, a.attinhcount AS inherited,
      ${acl('a.attacl', "'c'", 'c.relowner')} AS privileges, col_description(c.oid, a.attnum) AS comment,
      a.attstattarget AS statistics, ${sorted('a.attoptions', PUBLIC_OPTION)} AS options, ${sorted('a.attfdwoptions')} AS "foreignOptions",
      (SELECT collname FROM pg_collation k WHERE k.oid = a.attcollation) AS collation
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE ${MINE} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')`,
  constraints: `
    SELECT coalesce(nullif(k.conrelid, 0)::regclass::text, nullif(k.contypid, 0)::regtype::text) AS of, k.conname,
      pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid, k.conislocal AS local, k.coninhcount AS inherited
    FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace WHERE ${MINE}`,
  indexes: `
    SELECT i.indrelid::regclass::text AS relation, i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition,
      i.indisvalid AS valid, i.indisclustered AS clustered, obj_description(i.indexrelid, 'pg_class') AS comment,
      i.indisreplident AS identifies, (SELECT p.inhparent::regclass::text FROM pg_inherits p WHERE p.inhrelid = i.indexrelid) AS parent,
      (SELECT array_agg(a.attstattarget ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = i.indexrelid) AS statistics
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${MINE}`,
  functions: `
    SELECT p.oid::regprocedure::text AS name, pg_get_userbyid(p.proowner) AS owner,
      CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END AS definition,
      ${acl('p.proacl', "'f'", 'p.proowner')} AS privileges, obj_description(p.oid, 'pg_proc') AS comment
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${MINE}`,
  triggers: `
    SELECT t.tgrelid::regclass::text AS relation, t.tgname, pg_get_triggerdef(t.oid) AS definition, t.tgenabled::text AS enabled
    FROM pg_trigger t WHERE NOT t.tgisinternal`,
  policies: `
    SELECT p.polrelid::regclass::text AS relation, p.polname, p.polcmd::text AS command, p.polpermissive AS permissive,
      (SELECT array_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r)::text END ORDER BY pg_get_userbyid(r)) FROM unnest(p.polroles) r) AS roles,
      pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS "check"
    FROM pg_policy p`,
  rules: `SELECT r.ev_class::regclass::text AS relation, r.rulename, pg_get_ruledef(r.oid) AS definition
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${MINE}`,
  types: `
    SELECT t.oid::regtype::text AS name, t.typtype::text AS kind, pg_get_userbyid(t.typowner) AS owner,
      format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base, t.typnotnull AS "notNull", coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault) AS value,
      (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels,
      ${acl('t.typacl', "'T'", 't.typowner')} AS privileges, obj_description(t.oid, 'pg_type') AS comment,
      (SELECT collname FROM pg_collation k WHERE k.oid = t.typcollation) AS collation,
      (SELECT jsonb_build_array(r.rngsubtype::regtype, r.rngcollation::regcollation, r.rngcanonical, r.rngsubdiff::regproc)
         FROM pg_range r WHERE r.rngtypid = t.oid)::text AS range
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE ${MINE} AND t.typcategory <> 'A' AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')`,
  collations: `
    SELECT k.oid::regcollation::text AS name, pg_get_userbyid(k.collowner) AS owner, k.collprovider::text AS provider,
      (to_jsonb(k) - 'oid' - 'collnamespace' - 'collowner' - 'collversion' - 'collencoding')::text AS definition
    FROM pg_collation k JOIN pg_namespace n ON n.oid = k.collnamespace WHERE ${MINE}`,
  defaultPrivileges: `
    SELECT pg_get_userbyid(d.defaclrole) AS role, coalesce(n.nspname, '*') AS schema, d.defaclobjtype::text AS kind,
      ${acl('d.defaclacl', "'r'", 'd.defaclrole')} AS privileges
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace`,
  extensions: `
    SELECT e.extname, n.nspname, e.extversion, obj_description(e.oid, 'pg_extension') AS comment
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace`,
  eventTriggers: `
    SELECT e.evtname, e.evtevent, pg_get_userbyid(e.evtowner) AS owner, e.evtfoid::regproc::text AS function,
      e.evtenabled::text AS enabled, e.evttags AS tags
    FROM pg_event_trigger e`,
  publications: `
    SELECT p.pubname, pg_get_userbyid(p.pubowner) AS owner, (to_jsonb(p) - 'oid' - 'pubowner')::text AS definition,
      (SELECT array_agg(r.prrelid::regclass::text ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid) AS tables
    FROM pg_publication p`,
  statistics: `
    SELECT s.oid::text::int * 0 AS zero, s.stxname, pg_get_statisticsobjdef(s.oid) AS definition, pg_get_userbyid(s.stxowner) AS owner,
      to_jsonb(s) ->> 'stxstattarget' AS target
    FROM pg_statistic_ext s`,
  largeObjects: `
    SELECT l.oid::text AS id, pg_get_userbyid(l.lomowner) AS owner, md5(lo_get(l.oid)) AS hash, ${acl('l.lomacl', "'L'", 'l.lomowner')} AS privileges,
      obj_description(l.oid, 'pg_largeobject') AS comment
    FROM pg_largeobject_metadata l`,
  aggregates: `
    SELECT a.aggfnoid::regprocedure::text AS name, a.aggtransfn::text AS step, a.aggfinalfn::text AS last, a.aggcombinefn::text AS combine,
      a.agginitval AS initial, a.aggtranstype::regtype::text AS state, a.aggsortop::regoper::text AS sort
    FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${MINE}`,
  textSearch: `
    SELECT c.cfgname, m.maptokentype, m.mapseqno, m.mapdict::regdictionary::text AS dictionary
    FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace LEFT JOIN pg_ts_config_map m ON m.mapcfg = c.oid WHERE ${MINE}`,
  servers: `
    SELECT s.srvname, pg_get_userbyid(s.srvowner) AS owner, s.srvtype, s.srvversion, ${sorted('s.srvoptions')} AS options,
      ${acl('s.srvacl', "'S'", 's.srvowner')} AS privileges,
      (SELECT array_agg(coalesce(pg_get_userbyid(nullif(u.umuser, 0))::text, 'PUBLIC') || ${sorted('u.umoptions')}::text ORDER BY pg_get_userbyid(u.umuser))
         FROM pg_user_mapping u WHERE u.umserver = s.oid) AS mappings,
      (SELECT array_agg(f.ftrelid::regclass::text || ${sorted('f.ftoptions')}::text ORDER BY f.ftrelid::regclass::text)
         FROM pg_foreign_table f WHERE f.ftserver = s.oid) AS tables
    FROM pg_foreign_server s`,
  languages: `SELECT l.lanname, pg_get_userbyid(l.lanowner) AS owner, ${acl('l.lanacl', "'l'", 'l.lanowner')} AS privileges FROM pg_language l`,
  // Whatever has no entry of its own above: that it is there, under that name.
  others: `
    SELECT o.type, o.identity, 0 AS zero
    FROM (${OTHERS.map((catalogue) => `SELECT '${catalogue}'::regclass AS class, oid FROM ${catalogue}`).join(' UNION ALL ')}) c,
      pg_identify_object(c.class, c.oid, 0) o
    WHERE c.oid >= 16384`,
  // 2200 is the schema public that comes with every database. To identify all that comes with one would take 50 ms.
  comments: `
    SELECT o.type, o.identity, d.description FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) o
    WHERE d.objoid >= 16384 OR (d.classoid = 'pg_namespace'::regclass AND d.objoid = 2200)`,
  extensionDependencies: `
    SELECT o.identity, e.extname, d.deptype::text AS kind
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid, pg_identify_object(d.classid, d.objid, d.objsubid) o
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype IN ('e', 'x')`,
};
