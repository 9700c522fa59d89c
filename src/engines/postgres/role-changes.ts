/** Roles that are there, made what they were in the archive. Only what differs is said: each attribute asks for a right of its own. Pure. */
import type { RoleDescription } from '../../archive/contents.ts';
import type { Failure } from '../../lib/errors.ts';
import type { ServerFacts } from '../engine.ts';
import { type MembershipRequest, membershipChanges } from './membership-changes.ts';
import { assignment, identifier, literal } from './sql.ts';

export interface RoleChanges {
  readonly statements: readonly string[];
  /** Memberships that we may not take away. */
  readonly refusals: readonly Failure[];
}

export function changesOfRoles(
  current: Pick<ServerFacts, 'roles'>,
  { archived, names, ...request }: MembershipRequest,
): RoleChanges {
  const now = new Map(current.roles.map((role) => [role.name, role]));
  const { statements, refusals } = membershipChanges({ archived, names, ...request });
  return {
    statements: [
      ...archived.roles.flatMap((role) => {
        const known = names.has(role.name) ? now.get(role.name) : undefined;
        return known === undefined
          ? []
          : [...attributes(role, known), ...settings(role, known), ...comment(role, known)];
      }),
      ...statements,
    ],
    refusals,
  };
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
