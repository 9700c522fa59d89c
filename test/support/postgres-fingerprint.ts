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
      `SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = 'hex'`,
    );
    return {
      database: (await client.query(DATABASE)).rows[0],
      rows: await rowsOf(client),
      schema: await schemaOf(client),
    };
  } finally {
    await client.end();
  }
}

const MINE = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
const acl = (column: string, kind: string, owner: string) =>
  `(SELECT array_agg(CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END
      || ' ' || x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END
      ORDER BY CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type)
    FROM aclexplode(coalesce(${column}, acldefault('${kind}', ${owner}))) x)`;

const DATABASE = `
  SELECT pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
    to_jsonb(d) ->> 'datlocprovider' AS provider, d.datcollate AS collate, d.datctype AS ctype,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
    to_jsonb(d) ->> 'daticurules' AS "icuRules",
    t.spcname AS tablespace, d.datconnlimit AS "connectionLimit", d.datallowconn AS "allowsConnections",
    (SELECT string_agg(line, E'\\n' ORDER BY position)
       FROM unnest(string_to_array(shobj_description(d.oid, 'pg_database'), E'\\n')) WITH ORDINALITY u (line, position)
       WHERE line !~ '^holdfast-') AS comment,
    ${acl('d.datacl', 'd', 'd.datdba')} AS privileges,
    (SELECT array_agg(coalesce(r.rolname, '*') || ': ' || item ORDER BY r.rolname, item)
       FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) item
       WHERE s.setdatabase = d.oid) AS settings
  FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
  WHERE d.datname = current_database()`;

const TABLES = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND ${MINE} ORDER BY 1`;

/** The sum of the hashes of all rows does not depend on their order, as a count of equal ones does not. */
async function rowsOf(client: pg.Client): Promise<Fingerprint['rows']> {
  const tables = await client.query<{ name: string }>(TABLES);
  const rows: Record<string, { count: string; hash: string }> = {};
  for (const { name } of tables.rows) {
    const { rows: found } = await client.query<{ count: string; hash: string }>(
      `SELECT count(*)::text AS count,
        coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::int8::numeric), 0)::text AS hash FROM ${name} t`,
    );
    rows[name] = found[0]!;
  }
  return rows;
}

async function schemaOf(client: pg.Client): Promise<Fingerprint['schema']> {
  const schema: Record<string, readonly unknown[]> = {};
  for (const [kind, sql] of Object.entries(SCHEMA)) schema[kind] = (await client.query(`${sql} ORDER BY 1, 2, 3`)).rows;
  schema['sequences'] = await sequencesOf(client);
  return schema;
}

async function sequencesOf(client: pg.Client): Promise<readonly unknown[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(`
    SELECT format('%I.%I', n.nspname, c.relname) AS name, (to_jsonb(s) - 'seqrelid' - 'seqtypid')::text AS definition
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${MINE} ORDER BY 1`);
  return Promise.all(
    rows.map(async (row) => ({
      ...row,
      state: (await client.query(`SELECT last_value, is_called FROM ${row.name}`)).rows[0],
    })),
  );
}

/** Each query's first three columns order its rows. */
const SCHEMA: Readonly<Record<string, string>> = {
  schemas: `
    SELECT n.nspname, pg_get_userbyid(n.nspowner) AS owner, obj_description(n.oid, 'pg_namespace') AS comment,
      ${acl('n.nspacl', 'n', 'n.nspowner')} AS privileges
    FROM pg_namespace n WHERE ${MINE}`,
  relations: `
    SELECT n.nspname, c.relname, c.relkind::text AS kind, pg_get_userbyid(c.relowner) AS owner,
      ${acl('c.relacl', 'r', 'c.relowner')} AS privileges, c.relpersistence::text AS persistence,
      c.relrowsecurity AS "rowSecurity", c.relforcerowsecurity AS "forced", c.reloptions AS options,
      c.relreplident::text AS "replicaIdentity", pg_get_expr(c.relpartbound, c.oid) AS bound,
      pg_get_partkeydef(c.oid) AS "partitionKey",
      CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS query, c.relispopulated AS populated,
      obj_description(c.oid, 'pg_class') AS comment,
      (SELECT array_agg(p.inhparent::regclass::text ORDER BY p.inhseqno) FROM pg_inherits p WHERE p.inhrelid = c.oid) AS parents,
      (SELECT spcname FROM pg_tablespace t WHERE t.oid = c.reltablespace) AS tablespace
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${MINE} AND c.relkind NOT IN ('i', 'I', 't', 'c')`,
  columns: `
    SELECT c.oid::regclass::text AS relation, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
      row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) AS position,
      a.attnotnull AS "notNull", a.attidentity::text AS identity, a.attgenerated::text AS generated,
      pg_get_expr(d.adbin, d.adrelid) AS value, a.attstorage::text AS storage, a.attcompression::text AS compression,
      a.attacl::text AS privileges, col_description(c.oid, a.attnum) AS comment, a.attstattarget AS statistics,
      (SELECT collname FROM pg_collation k WHERE k.oid = a.attcollation) AS collation
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE ${MINE} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')`,
  constraints: `
    SELECT coalesce(nullif(k.conrelid, 0)::regclass::text, nullif(k.contypid, 0)::regtype::text) AS of, k.conname,
      pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid
    FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace WHERE ${MINE}`,
  indexes: `
    SELECT i.indrelid::regclass::text AS relation, i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition,
      i.indisvalid AS valid, i.indisclustered AS clustered, obj_description(i.indexrelid, 'pg_class') AS comment
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${MINE}`,
  functions: `
    SELECT p.oid::regprocedure::text AS name, pg_get_userbyid(p.proowner) AS owner,
      CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END AS definition,
      ${acl('p.proacl', 'f', 'p.proowner')} AS privileges, obj_description(p.oid, 'pg_proc') AS comment
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${MINE}`,
  triggers: `
    SELECT t.tgrelid::regclass::text AS relation, t.tgname, pg_get_triggerdef(t.oid) AS definition, t.tgenabled::text AS enabled
    FROM pg_trigger t WHERE NOT t.tgisinternal`,
  policies: `
    SELECT p.polrelid::regclass::text AS relation, p.polname, p.polcmd::text AS command, p.polpermissive AS permissive,
      (SELECT array_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r)::text END) FROM unnest(p.polroles) r) AS roles,
      pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS "check"
    FROM pg_policy p`,
  rules: `SELECT r.ev_class::regclass::text AS relation, r.rulename, pg_get_ruledef(r.oid) AS definition
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${MINE}`,
  types: `
    SELECT t.oid::regtype::text AS name, t.typtype::text AS kind, pg_get_userbyid(t.typowner) AS owner,
      format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base, t.typnotnull AS "notNull", t.typdefault AS value,
      (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels,
      ${acl('t.typacl', 'T', 't.typowner')} AS privileges, obj_description(t.oid, 'pg_type') AS comment
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE ${MINE} AND t.typcategory <> 'A' AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')`,
  collations: `
    SELECT k.oid::regcollation::text AS name, pg_get_userbyid(k.collowner) AS owner, k.collprovider::text AS provider,
      (to_jsonb(k) - 'oid' - 'collnamespace' - 'collowner' - 'collversion')::text AS definition
    FROM pg_collation k JOIN pg_namespace n ON n.oid = k.collnamespace WHERE ${MINE}`,
  defaultPrivileges: `
    SELECT pg_get_userbyid(d.defaclrole) AS role, coalesce(n.nspname, '*') AS schema, d.defaclobjtype::text AS kind,
      d.defaclacl::text AS privileges
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace`,
  extensions: `
    SELECT e.extname, n.nspname, e.extversion, obj_description(e.oid, 'pg_extension') AS comment
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace`,
  eventTriggers: `
    SELECT e.evtname, e.evtevent, pg_get_userbyid(e.evtowner) AS owner, e.evtfoid::regproc::text AS function,
      e.evtenabled::text AS enabled, e.evttags AS tags
    FROM pg_event_trigger e`,
  publications: `
    SELECT p.pubname, pg_get_userbyid(p.pubowner) AS owner, p.puballtables AS "all",
      (SELECT array_agg(r.prrelid::regclass::text ORDER BY 1) FROM pg_publication_rel r WHERE r.prpubid = p.oid) AS tables
    FROM pg_publication p`,
  statistics: `
    SELECT s.oid::text::int * 0 AS zero, s.stxname, pg_get_statisticsobjdef(s.oid) AS definition, pg_get_userbyid(s.stxowner) AS owner
    FROM pg_statistic_ext s`,
  largeObjects: `
    SELECT l.oid::text AS id, pg_get_userbyid(l.lomowner) AS owner, md5(lo_get(l.oid)) AS hash, l.lomacl::text AS privileges,
      obj_description(l.oid, 'pg_largeobject') AS comment
    FROM pg_largeobject_metadata l`,
};
