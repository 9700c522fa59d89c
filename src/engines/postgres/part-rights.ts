/** What our role, and the owners of what joins a live database, must be allowed there. Asked before the app goes to zero. */
import type { Failure } from '../../lib/errors.ts';
import { connect, type Session } from './connection.ts';
import type { LiveObjects } from './dump/live.ts';
import type { DumpObject, DumpObjects } from './dump/objects.ts';
import type { Part } from './dump/part.ts';
import type { TocEntry } from './dump/toc.ts';
import { type RoleFacts, roleFacts, selfFacts } from './facts.ts';
import { OF_PROVIDERS } from './providers.ts';
import { newRequirements } from './requirements.ts';
import { grantOf } from './rights.ts';
import { identifier } from './sql.ts';
import type { Parts } from './target-parts.ts';

export async function partRefusals(
  { access, request, held }: Parts,
  part: Part,
  archive: DumpObjects,
  live: LiveObjects,
): Promise<readonly Failure[]> {
  // That is a refusal of its own.
  if (request.owner !== undefined) return [];
  const needs = needsOf(part, archive, live, request.privileges !== 'Skip');
  await using inside = await connect(held.endpoint(access.database), held.signal);
  const facts = await factsFor(inside, needs);
  return [
    ...rolesMissing(needs, facts),
    ...(facts.self.superuser
      ? []
      : [
          ...rolesNotOurs(needs, facts),
          ...mayNotCreate(needs, facts, access.database),
          ...grantedByOthers(needs, facts),
        ]),
  ];
}

interface Needs {
  /** Roles whose rights we need, and what for. */
  readonly owners: ReadonlyMap<string, string>;
  /** Roles that privileges, policies and user mappings name. */
  readonly named: readonly string[];
  /** Who gave privileges, where it was not the owner. */
  readonly grantors: readonly string[];
  /** What is made in a schema that is there. */
  readonly placed: readonly { readonly schema: string; readonly owner: string | undefined; readonly label: string }[];
  /** Tables that stay, to which foreign keys of what is made would refer. */
  readonly referenced: readonly DumpObject[];
  readonly schemas: readonly DumpObject[];
  readonly extensions: readonly DumpObject[];
}

/** Pure. */
function needsOf(part: Part, archive: DumpObjects, { live }: LiveObjects, withPrivileges: boolean): Needs {
  const entries = part.entries.filter(({ desc }) => withPrivileges || !PRIVILEGES.has(desc ?? ''));
  const wanted = new Set(entries);
  const made = archive.objects.filter(({ entries: [first] }) => first !== undefined && wanted.has(first));
  const schemas = made.filter(({ kind }) => kind === 'schema');
  const isMade = new Set(schemas.map(({ name }) => name));
  const naming = entries
    .filter(({ desc }) => NAMING_ROLES.has(desc ?? ''))
    .flatMap(({ defn }) => archive.text(defn).split('\n'));
  return {
    owners: new Map([
      ...owned([...part.replaced, ...part.gone], live, 'owns what would be replaced'),
      ...owned(parentsThatStay(made, live), live, 'owns what would get a partition'),
      ...entries.flatMap((entry) => ownerOf(entry, archive, 'owns some of what would be added')),
    ]),
    named: rolesIn(naming),
    grantors: rolesIn(naming.filter((line) => line.startsWith('SET SESSION AUTHORIZATION '))),
    placed: made.flatMap(({ schema, label, entries: [first] }) =>
      schema === undefined || isMade.has(schema) ? [] : [{ schema, label, owner: nameOf(first?.owner, archive) }],
    ),
    referenced: [...new Set(made.flatMap((object) => referencedBy(object, archive)))].filter(
      (object) => !made.includes(object),
    ),
    schemas,
    extensions: made.filter(({ kind }) => kind === 'extension'),
  };
}

const referencedBy = (object: DumpObject, { needsOf }: DumpObjects) =>
  needsOf(object).flatMap((need) =>
    need.by.desc === 'FK CONSTRAINT' && need.object.kind === 'relation' ? [need.object] : [],
  );

const PRIVILEGES = new Set(['ACL', 'DEFAULT ACL']);
const NAMING_ROLES = new Set([...PRIVILEGES, 'POLICY', 'USER MAPPING']);

function rolesIn(lines: readonly string[]): readonly string[] {
  const requirements = newRequirements();
  for (const line of lines) requirements.take(line);
  return requirements.found().roles;
}

function nameOf(bytes: string | null | undefined, { text }: DumpObjects): string | undefined {
  return bytes == null || bytes === '' ? undefined : text(bytes);
}

function ownerOf({ owner }: TocEntry, of: DumpObjects, what: string): readonly (readonly [string, string])[] {
  const name = nameOf(owner, of);
  return name === undefined ? [] : [[name, what]];
}

const owned = (objects: readonly DumpObject[], of: DumpObjects, what: string) =>
  objects.flatMap(({ entries: [first] }) => (first === undefined ? [] : ownerOf(first, of, what)));

/** Of tables that are partitions: those of the live database that they are attached to. */
function parentsThatStay(made: readonly DumpObject[], live: DumpObjects): readonly DumpObject[] {
  const keys = new Set(made.map(({ key }) => key));
  return made.flatMap(({ parent }) => {
    const found = parent === undefined || keys.has(parent.key) ? undefined : live.byKey.get(parent.key);
    return found ?? [];
  });
}

interface Facts {
  readonly self: { readonly name: string; readonly superuser: boolean };
  readonly major: number;
  readonly owners: readonly RoleFacts[];
  readonly missing: ReadonlySet<string>;
  /** Schemas in which we may not make anything. */
  readonly closed: ReadonlySet<string>;
  /** Whether an owner may have something in a schema. */
  readonly closedTo: readonly { readonly schema: string; readonly owner: string }[];
  readonly mayCreate: boolean;
  /** Tables to which we may not refer. */
  readonly notReferable: readonly { readonly schema: string; readonly name: string }[];
  /** Extensions that only a superuser may create. */
  readonly forSuperusers: ReadonlySet<string>;
}

const MISSING = 'SELECT name FROM unnest($1::text[]) name WHERE name NOT IN (SELECT rolname FROM pg_roles)';

const CLOSED = `
  SELECT nspname AS name FROM pg_namespace
  WHERE nspname = ANY ($1) AND NOT (has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE'))`;

const CLOSED_TO = `
  SELECT DISTINCT p.schema, p.owner FROM unnest($1::text[], $2::text[]) p (schema, owner)
    JOIN pg_namespace n ON n.nspname = p.schema JOIN pg_roles r ON r.rolname = p.owner
  WHERE NOT has_schema_privilege(r.oid, n.oid, 'CREATE') ORDER BY 1, 2`;

const NOT_REFERABLE = `
  SELECT p.schema, p.name FROM unnest($1::text[], $2::text[]) p (schema, name)
    JOIN pg_namespace n ON n.nspname = p.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.name
  WHERE NOT has_any_column_privilege(c.oid, 'REFERENCES') ORDER BY 1, 2`;

/**
 * Of the version that would be made. A managed server lets its administrator make some of them all the same, and nothing in the
 * server tells which: there the load finds out.
 */
const FOR_SUPERUSERS = `
  SELECT v.name FROM pg_available_extension_versions v JOIN pg_available_extensions e
    ON e.name = v.name AND e.default_version = v.version
  WHERE v.name = ANY ($1) AND v.superuser AND NOT v.trusted
    AND NOT EXISTS (SELECT FROM pg_database WHERE datname = ANY ($2))`;

async function factsFor(session: Session, needs: Needs): Promise<Facts> {
  const names = async (sql: string, ...lists: (readonly string[])[]) =>
    new Set((await session.query<{ name: string }>(sql, lists)).map(({ name }) => name));
  const owners: RoleFacts[] = [];
  for (const name of needs.owners.keys()) owners.push(await roleFacts(session, name));
  const self = await selfFacts(session);
  const others = needs.placed.flatMap(({ schema, owner }) =>
    owner === undefined || owner === self.name ? [] : [{ schema, owner }],
  );
  const [row] = await session.query<{ may: boolean }>(
    `SELECT has_database_privilege(current_database(), 'CREATE') AS may`,
  );
  return {
    self,
    major: session.server.major,
    owners,
    missing: await names(MISSING, needs.named),
    closed: await names(
      CLOSED,
      needs.placed.map(({ schema }) => schema),
    ),
    closedTo: await session.query<Facts['closedTo'][number]>(CLOSED_TO, [
      others.map(({ schema }) => schema),
      others.map(({ owner }) => owner),
    ]),
    mayCreate: row?.may === true,
    notReferable: await session.query<Facts['notReferable'][number]>(NOT_REFERABLE, [
      needs.referenced.map(({ schema }) => schema),
      needs.referenced.map(({ name }) => name),
    ]),
    forSuperusers: await names(
      FOR_SUPERUSERS,
      needs.extensions.map(({ name }) => name),
      [...OF_PROVIDERS],
    ),
  };
}

function rolesMissing({ owners }: Needs, facts: Facts): readonly Failure[] {
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
      .map((name) => refusal(name, 'has privileges in what would be added, a policy or a user mapping')),
  ];
}

/** Each is made by us and given away, and then its rows, indexes and constraints are made with the rights of who has it. */
function rolesNotOurs({ owners }: Needs, { self, major, ...facts }: Facts): readonly Failure[] {
  return facts.owners.flatMap(({ name, exists, superuser, maySet, inherits }) => {
    if (!exists || name === self.name || (maySet && inherits)) return [];
    const hint = superuser
      ? 'leave it out, or restore with a superuser: membership in one would give away the server'
      : grantOf(name, self.name, major, maySet);
    const message = `role "${self.name}" has not the rights of "${name}", which ${owners.get(name)}`;
    return [{ reason: 'RightMissing', message, hint }];
  });
}

function mayNotCreate(needs: Needs, { self, ...facts }: Facts, database: string): readonly Failure[] {
  const { placed, schemas, extensions } = needs;
  const right = (message: string, hint: string) => ({ reason: 'RightMissing', message, hint });
  const first = (schema: string, owner?: string) =>
    placed.find((one) => one.schema === schema && (owner === undefined || one.owner === owner))?.label;
  const toCreate = [...schemas, ...extensions.filter(({ name }) => !facts.forSuperusers.has(name))];
  return [
    ...[...facts.closed].map((schema) =>
      right(
        `role "${self.name}" may not make ${first(schema)} in schema "${schema}", which is there already`,
        `in that database: GRANT USAGE, CREATE ON SCHEMA ${identifier(schema)} TO ${identifier(self.name)};`,
      ),
    ),
    ...facts.closedTo.map(({ schema, owner }) =>
      right(
        `role "${owner}", which is to own ${first(schema, owner)}, may not have anything new in schema "${schema}", which is there already`,
        `in that database: GRANT CREATE ON SCHEMA ${identifier(schema)} TO ${identifier(owner)};`,
      ),
    ),
    ...(facts.mayCreate || toCreate.length === 0
      ? []
      : [
          right(
            `role "${self.name}" may not make ${toCreate.map(({ label }) => label).join(', ')} in "${database}"`,
            `GRANT CREATE ON DATABASE ${identifier(database)} TO ${identifier(self.name)};`,
          ),
        ]),
    ...facts.notReferable.map(({ schema, name }) =>
      right(
        `role "${self.name}" may not make foreign keys to "${schema}"."${name}", which stays`,
        `in that database: GRANT REFERENCES ON ${identifier(schema)}.${identifier(name)} TO ${identifier(self.name)};`,
      ),
    ),
    ...[...facts.forSuperusers].map((name) =>
      right(
        `only a superuser may make extension "${name}"`,
        `in that database, as a superuser: CREATE EXTENSION ${identifier(name)}; or restore with one`,
      ),
    ),
  ];
}

/** A dump says it by taking on the session of whoever gave them, as only a superuser may. */
function grantedByOthers({ grantors }: Needs, { self }: Facts): readonly Failure[] {
  const others = grantors.filter((name) => name !== self.name);
  if (others.length === 0) return [];
  return [
    {
      reason: 'RightMissing',
      message: `some privileges in what would be added were given by ${others.map((name) => `"${name}"`).join(', ')}, which does not own it, and only a superuser may bring them back`,
      hint: 'leave them out with target.postgresql.privileges: Skip, or restore with a superuser',
    },
  ];
}
