import type { DatabaseProperties, DatabaseSetting } from '../../archive/contents.ts';
import { messageOf } from '../../lib/errors.ts';
import type { TargetRequest } from '../engine.ts';
import { granteesOf } from './acl.ts';
import { connect, type Session } from './connection.ts';
import { sqlStateOf } from './faults.ts';
import type { Hold } from './hold.ts';
import type { DatabaseNotes } from './marker.ts';
import { countObjects } from './objects.ts';
import { type DatabaseFacts, describeDatabase } from './properties.ts';
import { assignment, identifier } from './sql.ts';
import { settingsAs, wantedProperties, wantedPublicSchema } from './wanted.ts';

/** A role whose rights we need. */
export interface RoleFacts {
  readonly name: string;
  readonly exists: boolean;
  readonly superuser: boolean;
  /** Whether we may become it. */
  readonly maySet: boolean;
  /** Whether its rights are ours without becoming it. */
  readonly inherits: boolean;
}

/** A client of the live database that must be gone for the swap. */
export interface SessionFacts {
  readonly pid: number;
  readonly role: string;
  readonly application: string;
  readonly superuser: boolean;
  readonly mayEnd: boolean;
}

export interface SettingFacts {
  readonly setting: DatabaseSetting;
  /** What the server said when it was tried. */
  readonly problem?: { readonly code: string | undefined; readonly message: string };
}

/** All that a restore's plan is decided from. */
export interface TargetFacts {
  readonly server: { readonly version: string; readonly major: number; readonly readOnly: boolean };
  readonly self: {
    readonly name: string;
    readonly superuser: boolean;
    readonly createDatabases: boolean;
    readonly createRoles: boolean;
  };
  readonly live?: DatabaseFacts & { readonly objects: number | undefined };
  /** How the restored database is to be. */
  readonly properties: DatabaseProperties;
  readonly owner: RoleFacts;
  /** Whose the live database is, where the restored one will be another's. */
  readonly liveOwner?: RoleFacts;
  /** Roles by which we, or the owner, could do more on the server than its own things; asked where the archive is not trusted. */
  readonly mighty?: { readonly self: readonly string[]; readonly owner: readonly string[] };
  /** Roles that privileges and settings name, and the owner of schema public. */
  readonly missingRoles: readonly string[];
  readonly tablespace: { readonly exists: boolean; readonly mayCreate: boolean };
  readonly settings: readonly SettingFacts[];
  readonly sessions: readonly SessionFacts[];
  readonly preparedTransactions: readonly string[];
  readonly logicalSlots: readonly string[];
  readonly subscriptions: readonly string[];
  readonly scratch: { readonly name: string; readonly notes?: DatabaseNotes; readonly neverOpened: boolean };
  readonly previous: { readonly name: string; readonly notes?: DatabaseNotes };
}

/** Reads everything and changes nothing. What has to be tried is tried in transactions that are rolled back. */
export async function gatherFacts(held: Hold, database: string, request: TargetRequest): Promise<TargetFacts> {
  const { session } = held;
  const facts = await describeDatabase(session, database);
  const archived = request.contents.properties;
  const properties = wantedProperties(facts?.properties, archived, request);
  const self = await selfFacts(session);
  return {
    server: { ...session.server, readOnly: self.readOnly },
    self,
    ...(facts === undefined ? {} : { live: { ...facts, objects: await objectsIn(held, database, facts) } }),
    properties,
    owner: await roleFacts(session, properties.owner),
    ...(facts === undefined || facts.properties.owner === properties.owner
      ? {}
      : { liveOwner: await roleFacts(session, facts.properties.owner) }),
    ...(request.owner === undefined
      ? {}
      : {
          mighty: {
            self: await mightyRolesOf(session, self.name),
            owner: await mightyRolesOf(session, request.owner),
          },
        }),
    missingRoles: await missingRoles(session, properties, wantedPublicSchema(archived, request)),
    tablespace: await tablespaceFacts(session, properties.tablespace),
    settings: self.readOnly
      ? []
      : await trySettings(session, properties.settings, settingsAs(facts?.properties, request)),
    ...(await clientsOf(session, database)),
    scratch: { name: request.scratchDatabase, ...(await scratchFacts(session, request.scratchDatabase)) },
    previous: { name: request.previousDatabase, ...(await notesOf(session, request.previousDatabase)) },
  };
}

const SELF = `
  SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolsuper OR r.rolcreatedb AS "createDatabases",
    r.rolsuper OR r.rolcreaterole AS "createRoles",
    pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS "readOnly"
  FROM pg_roles r WHERE r.rolname = current_user`;

export async function selfFacts(session: Session): Promise<TargetFacts['self'] & { readonly readOnly: boolean }> {
  const [row] = await session.query<TargetFacts['self'] & { readonly readOnly: boolean }>(SELF);
  if (row === undefined) throw new Error('our own role is not in pg_roles');
  return row;
}

/** Undefined where we cannot get in to count; the rules say why that is in the way. */
export async function objectsIn(held: Hold, database: string, facts: DatabaseFacts): Promise<number | undefined> {
  if (!facts.allowsConnections) return undefined;
  const [may] = await held.session.query<{ connect: boolean }>(
    `SELECT has_database_privilege($1::oid, 'CONNECT') AS connect`,
    [facts.oid],
  );
  if (may?.connect !== true) return undefined;
  await using inside = await connect(held.endpoint(database), held.signal);
  return await countObjects(inside);
}

/** From 16 on a membership says one by one what it is good for. */
const ROLE = (major: number) => `
  SELECT r.rolname AS name, true AS exists, r.rolsuper AS superuser,
    pg_has_role(r.oid, '${major >= 16 ? 'SET' : 'MEMBER'}') AS "maySet", pg_has_role(r.oid, 'USAGE') AS inherits
  FROM pg_roles r WHERE r.rolname = $1`;

export async function roleFacts(session: Session, name: string): Promise<RoleFacts> {
  const [row] = await session.query<RoleFacts>(ROLE(session.server.major), [name]);
  return row ?? { name, exists: false, superuser: false, maySet: false, inherits: false };
}

/**
 * A superuser, who makes roles, and who runs programs or reads and writes files on the server: what a role is, or may
 * become by a statement within the SQL that it loads.
 */
const MIGHTY = `
  SELECT r.rolname AS name FROM pg_roles me JOIN pg_roles r ON pg_has_role(me.oid, r.oid, 'MEMBER')
  WHERE me.rolname = $1 AND (r.rolsuper OR r.rolcreaterole
    OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
  ORDER BY r.oid <> me.oid, 1`;

async function mightyRolesOf(session: Session, role: string): Promise<readonly string[]> {
  return (await session.query<{ name: string }>(MIGHTY, [role])).map(({ name }) => name);
}

/** `publicOwner`: schema public is given to who had it in the archive, also where a live database is replaced. */
async function missingRoles(
  session: Session,
  properties: DatabaseProperties,
  publicOwner: DatabaseProperties['publicSchemaOwner'],
): Promise<readonly string[]> {
  const named = [
    ...granteesOf(properties.acl ?? []),
    ...properties.settings.flatMap(({ role }) => role ?? []),
    ...(publicOwner == null ? [] : [publicOwner]),
  ];
  const rows = await session.query<{ name: string }>(
    'SELECT DISTINCT name FROM unnest($1::text[]) name WHERE name NOT IN (SELECT rolname FROM pg_roles) ORDER BY 1',
    [named],
  );
  return rows.map(({ name }) => name);
}

async function tablespaceFacts(session: Session, name: string): Promise<TargetFacts['tablespace']> {
  const [row] = await session.query<{ mayCreate: boolean }>(
    `SELECT has_tablespace_privilege(oid, 'CREATE') AS "mayCreate" FROM pg_tablespace WHERE spcname = $1`,
    [name],
  );
  // Where template0 is, databases may be made without a right to the tablespace.
  if (name === 'pg_default') return { exists: true, mayCreate: true };
  return { exists: row !== undefined, mayCreate: row?.mayCreate === true };
}

/**
 * Which settings a role may give depends on the setting, on extensions that are loaded and, from 15 on, on grants; so each
 * is tried, on our own role within the maintenance database, and rolled back. Nobody else sees it.
 */
async function trySettings(
  session: Session,
  settings: readonly DatabaseSetting[],
  as: string | undefined,
): Promise<readonly SettingFacts[]> {
  const tried: SettingFacts[] = [];
  for (const setting of settings) {
    const problem = await trial(session, setting, as);
    tried.push(problem === undefined ? { setting } : { setting, problem });
  }
  return tried;
}

async function trial(
  session: Session,
  setting: DatabaseSetting,
  as: string | undefined,
): Promise<SettingFacts['problem']> {
  const role = setting.role === undefined ? 'CURRENT_USER' : identifier(setting.role);
  const [row] = await session.query<{ here: string }>('SELECT current_database() AS here');
  await session.query('BEGIN');
  try {
    if (as !== undefined) await session.query(`SET LOCAL ROLE ${identifier(as)}`);
    await session.query(
      `ALTER ROLE ${role} IN DATABASE ${identifier(row?.here ?? '')} SET ${assignment(setting.name, setting.value)}`,
    );
    return undefined;
  } catch (caught) {
    const code = sqlStateOf(caught);
    if (code === undefined) throw caught;
    return { code, message: messageOf(caught) };
  } finally {
    await session.query('ROLLBACK');
  }
}

const CLIENTS = `
  SELECT a.pid, a.usename AS role, coalesce(nullif(a.application_name, ''), 'unnamed') AS application,
    r.rolsuper AS superuser,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
      OR (NOT r.rolsuper AND (pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))) AS "mayEnd"
  FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
  WHERE a.datname = $1 AND a.pid <> pg_backend_pid()
  ORDER BY a.pid`;

export async function clientsOf(
  session: Session,
  database: string,
): Promise<Pick<TargetFacts, 'sessions' | 'preparedTransactions' | 'logicalSlots' | 'subscriptions'>> {
  const names = async (sql: string) => (await session.query<{ name: string }>(sql, [database])).map(({ name }) => name);
  return {
    sessions: await session.query<SessionFacts>(CLIENTS, [database]),
    preparedTransactions: await names('SELECT gid AS name FROM pg_prepared_xacts WHERE database = $1'),
    logicalSlots: await names('SELECT slot_name AS name FROM pg_replication_slots WHERE database = $1'),
    subscriptions: await names(
      'SELECT subname AS name FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = $1)',
    ),
  };
}

export async function notesOf(session: Session, database: string): Promise<{ notes?: DatabaseNotes }> {
  const facts = await describeDatabase(session, database);
  return facts === undefined ? {} : { notes: facts.notes };
}

async function scratchFacts(
  session: Session,
  database: string,
): Promise<{ notes?: DatabaseNotes; neverOpened: boolean }> {
  const facts = await describeDatabase(session, database);
  if (facts === undefined) return { neverOpened: false };
  return { notes: facts.notes, neverOpened: isUnfinishedScratch(facts) };
}

/** Just created by us and not yet marked: closed from its first instant, so nobody can ever have put anything in it. */
function isUnfinishedScratch(facts: DatabaseFacts): boolean {
  return !facts.allowsConnections && facts.properties.connectionLimit === 0 && facts.properties.comment === undefined;
}
