/** Roles that are there, made what they were in the archive. Only what differs is said: each attribute asks for a right of its own. Pure. */
import type { Membership, RoleDescription } from '../../archive/contents.ts';
import type { ServerFacts } from '../engine.ts';
import { grantStatement } from './role-statements.ts';
import { assignment, identifier, literal } from './sql.ts';

type Roles = Pick<ServerFacts, 'roles' | 'memberships'>;

/** `names`: those that may be touched, and are on both sides. */
export function changingStatements(
  archived: Roles,
  current: Roles,
  names: ReadonlySet<string>,
  major: number,
): readonly string[] {
  const now = new Map(current.roles.map((role) => [role.name, role]));
  return [
    ...archived.roles.flatMap((role) => {
      const known = names.has(role.name) ? now.get(role.name) : undefined;
      return known === undefined ? [] : [...attributes(role, known), ...settings(role, known), ...comment(role, known)];
    }),
    ...memberships(archived, current, names, major),
  ];
}

const FLAGS = [
  ['superuser', 'SUPERUSER'],
  ['inherit', 'INHERIT'],
  ['createRole', 'CREATEROLE'],
  ['createDatabases', 'CREATEDB'],
  ['login', 'LOGIN'],
  ['replication', 'REPLICATION'],
  ['bypassRowSecurity', 'BYPASSRLS'],
] as const;

function attributes(role: RoleDescription, now: RoleDescription): readonly string[] {
  const options = [
    ...FLAGS.flatMap(([flag, word]) => (role[flag] === now[flag] ? [] : [role[flag] ? word : `NO${word}`])),
    ...(role.connectionLimit === now.connectionLimit ? [] : [`CONNECTION LIMIT ${role.connectionLimit}`]),
    ...(role.validUntil === now.validUntil ? [] : [`VALID UNTIL ${literal(role.validUntil ?? 'infinity')}`]),
    // What the server has of it we may not be able to see; the archive has it only where the backup could.
    ...(role.password === undefined || role.password === now.password ? [] : [`PASSWORD ${literal(role.password)}`]),
  ];
  return options.length === 0 ? [] : [`ALTER ROLE ${identifier(role.name)} ${options.join(' ')}`];
}

function settings(role: RoleDescription, now: RoleDescription): readonly string[] {
  const id = identifier(role.name);
  const said = (list: RoleDescription['settings']) => list.map(({ name, value }) => `${name}=${value}`);
  const [wanted, there] = [said(role.settings), said(now.settings)];
  if (wanted.length === there.length && wanted.every((one) => there.includes(one))) return [];
  return [
    `ALTER ROLE ${id} RESET ALL`,
    ...role.settings.map(({ name, value }) => `ALTER ROLE ${id} SET ${assignment(name, value)}`),
  ];
}

function comment({ name, comment: wanted }: RoleDescription, now: RoleDescription): readonly string[] {
  if (wanted === now.comment) return [];
  return [`COMMENT ON ROLE ${identifier(name)} IS ${wanted === undefined ? 'NULL' : literal(wanted)}`];
}

/** Of a role: what it is a member of. Whom others made a member of it is theirs. */
function memberships(archived: Roles, current: Roles, names: ReadonlySet<string>, major: number): readonly string[] {
  const known = new Set(current.roles.map(({ name }) => name));
  const ofThese = ({ memberships: list }: Roles) => list.filter(({ member }) => names.has(member));
  const wanted = ofThese(archived).filter(({ role }) => known.has(role) || role.startsWith('pg_'));
  const there = ofThese(current);
  const same = (a: Membership, b: Membership) => a.role === b.role && a.member === b.member;
  const equal = (a: Membership, b: Membership) =>
    same(a, b) &&
    a.admin === b.admin &&
    (a.inherit ?? true) === (b.inherit ?? true) &&
    (a.set ?? true) === (b.set ?? true);
  return [
    ...there
      .filter((one) => !wanted.some((other) => equal(one, other)))
      .map(({ role, member }) => `REVOKE ${identifier(role)} FROM ${identifier(member)}`),
    ...wanted
      .filter((one) => !there.some((other) => equal(one, other)))
      .map((membership) => grantStatement(membership, major)),
  ];
}
