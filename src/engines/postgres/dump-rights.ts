/**
 * What a dump needs of the server's roles, wherever it goes: who owns what is in it, whom its privileges name, and what only a superuser
 * may make. Asked before the app goes to zero.
 */
import type { Failure } from '../../lib/errors.ts';
import type { Session } from './connection.ts';
import type { DumpObjects } from './dump/objects.ts';
import type { TocEntry } from './dump/toc.ts';
import { type RoleFacts, roleFacts, selfFacts } from './facts.ts';
import { OF_PROVIDERS } from './providers.ts';
import { newRequirements } from './requirements.ts';
import { grantOf } from './rights.ts';
import { identifier } from './sql.ts';

export interface DumpNeeds {
  /** Roles whose rights we need, and what for. */
  readonly owners: ReadonlyMap<string, string>;
  /** Roles that privileges, policies and user mappings name. */
  readonly named: readonly string[];
  /** Who gave privileges, where it was not the owner. */
  readonly grantors: readonly string[];
  readonly extensions: readonly string[];
}

/** `done`: what becomes of the entries, such as "added". Pure. */
export function dumpNeeds(
  entries: readonly TocEntry[],
  archive: DumpObjects,
  { withPrivileges, done }: { readonly withPrivileges: boolean; readonly done: string },
): DumpNeeds {
  const wanted = entries.filter(({ desc }) => withPrivileges || !PRIVILEGES.has(desc ?? ''));
  const naming = wanted
    .filter(({ desc }) => NAMING_ROLES.has(desc ?? ''))
    .flatMap(({ defn }) => archive.text(defn).split('\n'));
  return {
    owners: new Map(wanted.flatMap((entry) => ownerOf(entry, archive, `owns some of what would be ${done}`))),
    named: rolesIn(naming),
    grantors: rolesIn(naming.filter((line) => line.startsWith('SET SESSION AUTHORIZATION '))),
    extensions: wanted.flatMap(({ desc, tag }) => (desc === 'EXTENSION' ? [archive.text(tag)] : [])),
  };
}

const PRIVILEGES = new Set(['ACL', 'DEFAULT ACL']);
const NAMING_ROLES = new Set([...PRIVILEGES, 'POLICY', 'USER MAPPING']);

function rolesIn(lines: readonly string[]): readonly string[] {
  const requirements = newRequirements();
  for (const line of lines) requirements.take(line);
  return requirements.found().roles;
}

export function nameOf(bytes: string | null | undefined, { text }: DumpObjects): string | undefined {
  return bytes == null || bytes === '' ? undefined : text(bytes);
}

/** Who has the entry in the dump, and what for that matters. */
export function ownerOf({ owner }: TocEntry, of: DumpObjects, what: string): readonly (readonly [string, string])[] {
  const name = nameOf(owner, of);
  return name === undefined ? [] : [[name, what]];
}

export interface DumpFacts {
  readonly self: { readonly name: string; readonly superuser: boolean };
  readonly major: number;
  readonly owners: readonly RoleFacts[];
  readonly missing: ReadonlySet<string>;
  /** Extensions that only a superuser may create. */
  readonly forSuperusers: ReadonlySet<string>;
}

const MISSING = 'SELECT name FROM unnest($1::text[]) name WHERE name NOT IN (SELECT rolname FROM pg_roles)';

/**
 * Of the version that would be made. A managed server lets its administrator make some of them all the same, and nothing in the
 * server tells which: there the load finds out.
 */
const FOR_SUPERUSERS = `
  SELECT v.name FROM pg_available_extension_versions v JOIN pg_available_extensions e
    ON e.name = v.name AND e.default_version = v.version
  WHERE v.name = ANY ($1) AND v.superuser AND NOT v.trusted
    AND NOT EXISTS (SELECT FROM pg_database WHERE datname = ANY ($2))`;

export async function dumpFacts(session: Session, needs: DumpNeeds): Promise<DumpFacts> {
  const names = async (sql: string, ...lists: (readonly string[])[]) =>
    new Set((await session.query<{ name: string }>(sql, lists)).map(({ name }) => name));
  const owners: RoleFacts[] = [];
  for (const name of needs.owners.keys()) owners.push(await roleFacts(session, name));
  return {
    self: await selfFacts(session),
    major: session.server.major,
    owners,
    missing: await names(MISSING, needs.named),
    forSuperusers: await names(FOR_SUPERUSERS, needs.extensions, [...OF_PROVIDERS]),
  };
}

export function rolesMissing({ owners }: DumpNeeds, facts: DumpFacts): readonly Failure[] {
  const gone = facts.owners.filter(({ exists }) => !exists).map(({ name }) => name);
  const refusal = (name: string, what: string) => ({
    reason: 'RoleMissing',
    message: `role "${name}" ${what}, and does not exist on this server`,
    hint: `CREATE ROLE ${identifier(name)};`,
  });
  return [
    ...gone.map((name) => refusal(name, owners.get(name) ?? '')),
    ...[...facts.missing]
      .filter((name) => !gone.includes(name))
      .map((name) => refusal(name, 'is named by a privilege, a policy or a user mapping of the archive')),
  ];
}

/** Each is made by us and given away, and then its rows, indexes and constraints are made with the rights of who has it. */
export function rolesNotOurs({ owners }: DumpNeeds, { self, major, ...facts }: DumpFacts): readonly Failure[] {
  return facts.owners.flatMap(({ name, exists, superuser, maySet, inherits }) => {
    if (!exists || name === self.name || (maySet && inherits)) return [];
    const hint = superuser
      ? 'leave it out, or restore with a superuser: membership in one would give away the server'
      : grantOf(name, self.name, major, maySet);
    const message = `role "${self.name}" has not the rights of "${name}", which ${owners.get(name)}`;
    return [{ reason: 'RightMissing', message, hint }];
  });
}

export const onlySuperusers = ({ forSuperusers }: DumpFacts): readonly Failure[] =>
  [...forSuperusers].map((name) => ({
    reason: 'RightMissing',
    message: `only a superuser may make extension "${name}"`,
    hint: `in that database, as a superuser: CREATE EXTENSION ${identifier(name)}; or restore with one`,
  }));

/** A dump says it by taking on the session of whoever gave them, as only a superuser may. */
export function grantedByOthers({ grantors }: DumpNeeds, { self }: DumpFacts): readonly Failure[] {
  const others = grantors.filter((name) => name !== self.name);
  if (others.length === 0) return [];
  return [
    {
      reason: 'RightMissing',
      message: `some privileges in the archive were given by ${others.map((name) => `"${name}"`).join(', ')}, which does not own what they are for, and only a superuser may bring them back`,
      hint: 'leave them out with target.postgresql.privileges: Skip, or restore with a superuser',
    },
  ];
}
