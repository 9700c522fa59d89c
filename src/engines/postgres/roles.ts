import type { Membership, RoleDescription } from '../../archive/contents.ts';
import type { ServerFacts } from '../engine.ts';
import type { Session } from './connection.ts';
import { sqlStateOf } from './faults.ts';
import type { RoleGrant } from './membership-changes.ts';
import { settingOf } from './properties.ts';
import { madeBy } from './role-statements.ts';

/** Roles that PostgreSQL itself brings along: every server has its own. */
const NOT_BUILT_IN = `r.rolname !~ '^pg_'`;

/** On managed servers nobody but the provider may read what is kept of passwords, whatever the privileges say: so it is tried. */
export async function mayReadPasswords(session: Session): Promise<boolean> {
  try {
    await session.query('SELECT rolpassword FROM pg_authid LIMIT 1');
    return true;
  } catch (caught) {
    if (sqlStateOf(caught) === undefined) throw caught;
    return false;
  }
}

/** Roles that a restore made and that are not live yet. */
export async function rolesMadeBy(session: Session, restoreUid: string): Promise<readonly string[]> {
  const rows = await session.query<{ name: string; comment: string | null }>(
    `SELECT rolname AS name, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles ORDER BY 1`,
  );
  return rows.filter(({ comment }) => madeBy(comment) === restoreUid).map(({ name }) => name);
}

const ROLES = (password: string, catalogue: string) => `
  SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreaterole AS "createRole",
    r.rolcreatedb AS "createDatabases", r.rolcanlogin AS login, r.rolreplication AS replication,
    r.rolbypassrls AS "bypassRowSecurity", r.rolconnlimit AS "connectionLimit", r.rolvaliduntil::text AS "validUntil",
    ${password} AS password, shobj_description(r.oid, 'pg_authid') AS comment,
    coalesce((SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0), '{}') AS items
  FROM ${catalogue} r WHERE ${NOT_BUILT_IN} ORDER BY r.rolname`;

type RoleRow = Omit<RoleDescription, 'validUntil' | 'password' | 'comment' | 'settings'> & {
  readonly validUntil: string | null;
  readonly password: string | null;
  readonly comment: string | null;
  readonly items: readonly string[];
};

/** From 16 on a membership says what it is good for, and may be given by several: what any of them gives counts. */
const MEMBERSHIPS = `
  SELECT g.rolname AS role, r.rolname AS member, bool_or(m.admin_option) AS admin,
    bool_or((to_jsonb(m) ->> 'inherit_option')::boolean) AS inherit, bool_or((to_jsonb(m) ->> 'set_option')::boolean) AS set
  FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
  WHERE ${NOT_BUILT_IN} GROUP BY 1, 2 ORDER BY 1, 2`;

/** Each by itself. Of a server that was once older than 16, a grantor may not exist any more. */
const GRANTS = (major: number) => `
  SELECT g.rolname AS role, r.rolname AS member, m.admin_option AS admin,
    (to_jsonb(m) ->> 'inherit_option')::boolean AS inherit, (to_jsonb(m) ->> 'set_option')::boolean AS set,
    ${
      major >= 16
        ? `b.rolname AS grantor, coalesce(pg_has_role(b.oid, 'USAGE'), true) AS "mayRevoke", coalesce(b.rolsuper, false) AS "bySuperuser"`
        : `NULL AS grantor, true AS "mayRevoke", false AS "bySuperuser"`
    }
  FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member
    LEFT JOIN pg_roles b ON b.oid = m.grantor
  ORDER BY 1, 2, b.rolname`;

export async function grantsOfRoles(session: Session): Promise<readonly RoleGrant[]> {
  type Row = Omit<RoleGrant, 'inherit' | 'set' | 'grantor'> &
    Record<'inherit' | 'set', boolean | null> & { grantor: string | null };
  const rows = await session.query<Row>(GRANTS(session.server.major));
  return rows.map(({ inherit, set, grantor, ...grant }) => ({
    ...grant,
    ...(inherit === null ? {} : { inherit }),
    ...(set === null ? {} : { set }),
    grantor: grantor ?? undefined,
  }));
}

const TABLESPACES = `
  SELECT spcname AS name, pg_tablespace_location(oid) AS location FROM pg_tablespace WHERE spcname !~ '^pg_' ORDER BY 1`;

export async function describeServer(session: Session, passwords: boolean): Promise<ServerFacts> {
  const roles = await session.query<RoleRow>(
    passwords ? ROLES('r.rolpassword', 'pg_authid') : ROLES('NULL::text', 'pg_roles'),
  );
  const memberships = await session.query<Membership & { inherit: boolean | null; set: boolean | null }>(MEMBERSHIPS);
  return {
    roles: roles.map(roleOf),
    memberships: memberships.map(({ inherit, set, ...membership }) => ({
      ...membership,
      ...(inherit === null ? {} : { inherit }),
      ...(set === null ? {} : { set }),
    })),
    tablespaces: [...(await session.query<{ name: string; location: string }>(TABLESPACES))],
  };
}

function roleOf({ validUntil, password, comment, items, ...role }: RoleRow): RoleDescription {
  return {
    ...role,
    ...(validUntil === null ? {} : { validUntil }),
    ...(password === null ? {} : { password }),
    ...(comment === null ? {} : { comment }),
    settings: items.map((item) => settingOf({ role: null, item })),
  };
}
