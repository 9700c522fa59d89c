/** The roles of an archive as statements for a server that lacks some of them. Pure. */
import type { Membership, RoleDescription } from '../../archive/contents.ts';
import { assignment, identifier, literal } from './sql.ts';

/** On the comment of a role that a restore made and that is not live yet, so that only such a one is ever dropped again. */
const MADE_BY = 'holdfast-made-by: ';

export interface RolesToMake {
  readonly roles: readonly RoleDescription[];
  readonly memberships: readonly Membership[];
}

/** Roles that the server lacks, and the memberships that one of them is part of. Whoever is there keeps what he has. */
export function missingFrom(
  present: ReadonlySet<string>,
  archived: { readonly roles: readonly RoleDescription[]; readonly memberships: readonly Membership[] },
): RolesToMake {
  const roles = archived.roles.filter(({ name }) => !present.has(name));
  const made = new Set(roles.map(({ name }) => name));
  const known = (name: string) => made.has(name) || present.has(name);
  return {
    roles,
    memberships: archived.memberships.filter(
      ({ role, member }) => (made.has(role) || made.has(member)) && known(role) && known(member),
    ),
  };
}

/** What one who is no superuser may not give. */
export function needsSuperuser({ superuser, replication, bypassRowSecurity }: RoleDescription): boolean {
  return superuser || replication || bypassRowSecurity;
}

export function makingStatements(
  { roles, memberships }: RolesToMake,
  by: { readonly uid: string; readonly major: number; readonly superuser: boolean },
): readonly string[] {
  return [
    ...roles.flatMap((role) => [
      createStatement(role),
      `COMMENT ON ROLE ${identifier(role.name)} IS ${literal(MADE_BY + by.uid)}`,
      ...role.settings.map(({ name, value }) => `ALTER ROLE ${identifier(role.name)} SET ${assignment(name, value)}`),
    ]),
    ...memberships.map((membership) => grantStatement(membership, by.major)),
    // Databases are made for them, and are to be theirs: only a superuser may give to whom he does not belong.
    ...(by.superuser ? [] : roles.map(({ name }) => joinStatement(name, by.major))),
  ];
}

/** The comments that the roles had, which go live with the databases. */
export function settlingStatements({ roles }: RolesToMake): readonly string[] {
  return roles.map(
    ({ name, comment }) =>
      `COMMENT ON ROLE ${identifier(name)} IS ${comment === undefined ? 'NULL' : literal(comment)}`,
  );
}

/** Of a role's comment: the restore that made it and has not gone live, if so. */
export function madeBy(comment: string | null): string | undefined {
  return comment?.startsWith(MADE_BY) === true ? comment.slice(MADE_BY.length) : undefined;
}

function createStatement(role: RoleDescription): string {
  const flag = (word: string, on: boolean) => (on ? word : `NO${word}`);
  const options = [
    // Named at all, each of these asks for a right of its own.
    ...(role.superuser ? ['SUPERUSER'] : []),
    ...(role.replication ? ['REPLICATION'] : []),
    ...(role.bypassRowSecurity ? ['BYPASSRLS'] : []),
    flag('INHERIT', role.inherit),
    flag('CREATEROLE', role.createRole),
    flag('CREATEDB', role.createDatabases),
    flag('LOGIN', role.login),
    `CONNECTION LIMIT ${role.connectionLimit}`,
    ...(role.password === undefined ? [] : [`PASSWORD ${literal(role.password)}`]),
    ...(role.validUntil === undefined ? [] : [`VALID UNTIL ${literal(role.validUntil)}`]),
  ];
  return `CREATE ROLE ${identifier(role.name)} ${options.join(' ')}`;
}

export function grantStatement({ role, member, admin, inherit, set }: Membership, major: number): string {
  const grant = `GRANT ${identifier(role)} TO ${identifier(member)}`;
  if (major < 16) return `${grant}${admin ? ' WITH ADMIN OPTION' : ''}`;
  const told = (word: string, value: boolean | undefined) =>
    value === undefined ? [] : [`${word} ${value ? 'TRUE' : 'FALSE'}`];
  return `${grant} WITH ${[...told('ADMIN', admin), ...told('INHERIT', inherit), ...told('SET', set)].join(', ')}`;
}

function joinStatement(role: string, major: number): string {
  return `GRANT ${identifier(role)} TO CURRENT_USER${major >= 16 ? ' WITH INHERIT TRUE, SET TRUE' : ''}`;
}
