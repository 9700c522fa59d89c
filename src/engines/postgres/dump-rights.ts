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
  /** Roles whose default privileges are in it. */
  readonly givers: readonly string[];
  /** Roles that privileges, policies and user mappings name. */
  readonly named: readonly string[];
  /** Who gave privileges, where it was not the owner. */
  readonly grantors: readonly string[];
  readonly extensions: readonly string[];
  /** What else only a superuser may make, in words that a person knows it by. */
  readonly mighty: readonly string[];
}

/** `done`: what becomes of the entries, such as "added". Pure. */
export function dumpNeeds(
  entries: readonly TocEntry[],
  archive: DumpObjects,
  { withPrivileges, done }: { readonly withPrivileges: boolean; readonly done: string },
): DumpNeeds {
  const wanted = entries.filter(
    (entry) => !isOfDatabase(entry, archive) && (withPrivileges || !PRIVILEGES.has(entry.desc ?? '')),
  );
  const naming = wanted
    .filter(({ desc }) => NAMING_ROLES.has(desc ?? ''))
    .flatMap(({ defn }) => archive.text(defn).split('\n'));
  return {
    owners: new Map(
      wanted
        .filter((entry) => isOwned(entry) || entry.desc === 'DEFAULT ACL')
        .flatMap((entry) => ownerOf(entry, archive, `owns some of what would be ${done}`)),
    ),
    givers: wanted.flatMap((entry) => (entry.desc === 'DEFAULT ACL' ? (nameOf(entry.owner, archive) ?? []) : [])),
    named: rolesIn(naming),
    grantors: rolesIn(naming.filter((line) => line.startsWith('SET SESSION AUTHORIZATION '))),
    extensions: wanted.flatMap(({ desc, tag }) => (desc === 'EXTENSION' ? [archive.text(tag)] : [])),
    mighty: wanted.filter((entry) => isMighty(entry, archive)).map((entry) => archive.describe(entry)),
  };
}

/** Where the documentation of its CREATE statement asks for a superuser. */
const MIGHTY = new Set([
  ...['ACCESS METHOD', 'EVENT TRIGGER', 'FOREIGN DATA WRAPPER', 'OPERATOR CLASS', 'OPERATOR FAMILY', 'SHELL TYPE'],
  ...['TEXT SEARCH PARSER', 'TEXT SEARCH TEMPLATE', 'PROCEDURAL LANGUAGE', 'PUBLICATION TABLES IN SCHEMA'],
]);

/** Of a function the first line like this is ahead of its body; of the others there is but one line. */
const MIGHTY_DEFINITIONS: ReadonlyMap<string, RegExp> = new Map([
  ['FUNCTION', /^ {4}LANGUAGE (\S+)/m],
  ['PUBLICATION', /^CREATE PUBLICATION .* FOR (ALL TABLES)/],
  ['CAST', /^CREATE CAST .* (WITHOUT FUNCTION)/],
]);
const MIGHTY_WORDS = new Set(['c', 'internal', 'ALL TABLES', 'WITHOUT FUNCTION']);

function isMighty({ desc, defn }: TocEntry, { text }: DumpObjects): boolean {
  const words = MIGHTY_DEFINITIONS.get(desc ?? '')?.exec(text(defn))?.[1];
  return MIGHTY.has(desc ?? '') || (words !== undefined && MIGHTY_WORDS.has(words));
}

/** A dump says something of its database, which only `pg_restore --create` makes. What ours gets is decided elsewhere. */
function isOfDatabase({ desc, tag }: TocEntry, { text }: DumpObjects): boolean {
  if (desc === 'DATABASE' || desc === 'DATABASE PROPERTIES') return true;
  return ABOUT_OTHERS.has(desc ?? '') && text(tag).startsWith('DATABASE ');
}

const ABOUT_OTHERS = new Set(['ACL', 'COMMENT', 'SECURITY LABEL']);

/**
 * Whether pg_restore gives it, or what it is a part of, to its owner: it does what it could drop. Rows, and what is said about something, bear
 * the name of who owns that, which may be no part of the dump: the settings of an extension, a schema public of before 15.
 */
export function isOwned({ desc, dropStmt }: TocEntry): boolean {
  return dropStmt !== null && dropStmt !== '' && !ABOUT_OTHERS.has(desc ?? '');
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
  /** Extensions that only a superuser may create; none where the server is managed. */
  readonly forSuperusers: ReadonlySet<string>;
  /**
   * Whether a provider runs the server. He lets an administrator of his make some of what is a superuser's otherwise, and nothing in the server
   * tells which: there the load finds out.
   */
  readonly managed: boolean;
}

const MISSING = 'SELECT name FROM unnest($1::text[]) name WHERE name NOT IN (SELECT rolname FROM pg_roles)';

/** Of the version that would be made. */
const FOR_SUPERUSERS = `
  SELECT v.name FROM pg_available_extension_versions v JOIN pg_available_extensions e
    ON e.name = v.name AND e.default_version = v.version
  WHERE v.name = ANY ($1) AND v.superuser AND NOT v.trusted`;

const MANAGED = 'SELECT datname AS name FROM pg_database WHERE datname = ANY ($1)';

export async function dumpFacts(session: Session, needs: DumpNeeds): Promise<DumpFacts> {
  const names = async (sql: string, list: readonly string[]) =>
    new Set((await session.query<{ name: string }>(sql, [list])).map(({ name }) => name));
  const owners: RoleFacts[] = [];
  for (const name of needs.owners.keys()) owners.push(await roleFacts(session, name));
  const managed = (await names(MANAGED, [...OF_PROVIDERS])).size > 0;
  return {
    self: await selfFacts(session),
    major: session.server.major,
    owners,
    missing: await names(MISSING, needs.named),
    forSuperusers: managed ? new Set() : await names(FOR_SUPERUSERS, needs.extensions),
    managed,
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

/** `isThere`: the database is there already, and something may be made in it beforehand. */
export function onlySuperusers(
  { mighty }: DumpNeeds,
  { forSuperusers, managed }: DumpFacts,
  { database, isThere }: { readonly database: string; readonly isThere: boolean },
): readonly Failure[] {
  const refusal = (what: string, hint: string) => ({
    reason: 'RightMissing',
    message: `only a superuser may make ${what} in "${database}"`,
    hint,
  });
  const withOne = 'restore with a superuser';
  return [
    ...[...forSuperusers].map((name) => {
      const beforehand = `in that database, as a superuser: CREATE EXTENSION ${identifier(name)}; or restore with one`;
      return refusal(`extension "${name}"`, isThere ? beforehand : withOne);
    }),
    ...(managed || mighty.length === 0 ? [] : [refusal(mighty.join(', '), withOne)]),
  ];
}

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
