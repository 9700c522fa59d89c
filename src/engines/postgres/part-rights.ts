/** What our role, and the owners of what joins a live database, must be allowed there. Asked before the app goes to zero. */
import type { Failure } from '../../lib/errors.ts';
import { connect, type Session } from './connection.ts';
import type { LiveObjects } from './dump/live.ts';
import type { DumpObject, DumpObjects } from './dump/objects.ts';
import type { Part } from './dump/part.ts';
import {
  type DumpFacts,
  type DumpNeeds,
  dumpFacts,
  dumpNeeds,
  grantedByOthers,
  isOwned,
  nameOf,
  onlySuperusers,
  ownerOf,
  rolesMissing,
  rolesNotOurs,
} from './dump-rights.ts';
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
          ...onlySuperusers(needs, facts, { database: access.database, isThere: true }),
          ...grantedByOthers(needs, facts),
        ]),
  ];
}

interface Needs extends DumpNeeds {
  /** What is made in a schema that is there. */
  readonly placed: readonly { readonly schema: string; readonly owner: string | undefined; readonly label: string }[];
  /** Tables that stay, to which foreign keys of what is made would refer. */
  readonly referenced: readonly DumpObject[];
  /** Schemas and extensions, for which the database must be open. */
  readonly inDatabase: readonly DumpObject[];
}

/** Pure. */
function needsOf(part: Part, archive: DumpObjects, { live }: LiveObjects, withPrivileges: boolean): Needs {
  const needs = dumpNeeds(part.entries, archive, { withPrivileges, done: 'added' });
  const wanted = new Set(part.entries);
  const made = archive.objects.filter(({ entries: [first] }) => first !== undefined && wanted.has(first));
  const schemas = made.filter(({ kind }) => kind === 'schema');
  const isMade = new Set(schemas.map(({ name }) => name));
  return {
    ...needs,
    owners: new Map([
      ...owned([...part.replaced, ...part.gone], live, 'owns what would be replaced'),
      ...owned(parentsThatStay(made, live), live, 'owns what would get a partition'),
      ...needs.owners,
    ]),
    placed: made.flatMap(({ schema, label, entries: all }) => {
      const given = all.find(isOwned);
      return schema === undefined || isMade.has(schema) || given === undefined
        ? []
        : [{ schema, label, owner: nameOf(given.owner, archive) }];
    }),
    referenced: [...new Set(made.flatMap((object) => referencedBy(object, archive)))].filter(
      (object) => !made.includes(object),
    ),
    inDatabase: [...schemas, ...made.filter(({ kind }) => kind === 'extension')],
  };
}

const referencedBy = (object: DumpObject, { needsOf }: DumpObjects) =>
  needsOf(object).flatMap((need) =>
    need.by.desc === 'FK CONSTRAINT' && need.object.kind === 'relation' ? [need.object] : [],
  );

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

interface Facts extends DumpFacts {
  /** Schemas in which we may not make anything. */
  readonly closed: ReadonlySet<string>;
  /** Whether an owner may have something in a schema. */
  readonly closedTo: readonly { readonly schema: string; readonly owner: string }[];
  readonly mayCreate: boolean;
  /** Tables to which we may not refer. */
  readonly notReferable: readonly { readonly schema: string; readonly name: string }[];
}

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

async function factsFor(session: Session, needs: Needs): Promise<Facts> {
  const facts = await dumpFacts(session, needs);
  const placed = needs.placed.map(({ schema }) => schema);
  const closed = await session.query<{ name: string }>(CLOSED, [placed]);
  const others = needs.placed.flatMap(({ schema, owner }) =>
    owner === undefined || owner === facts.self.name ? [] : [{ schema, owner }],
  );
  const [row] = await session.query<{ may: boolean }>(
    `SELECT has_database_privilege(current_database(), 'CREATE') AS may`,
  );
  return {
    ...facts,
    closed: new Set(closed.map(({ name }) => name)),
    closedTo: await session.query<Facts['closedTo'][number]>(CLOSED_TO, [
      others.map(({ schema }) => schema),
      others.map(({ owner }) => owner),
    ]),
    mayCreate: row?.may === true,
    notReferable: await session.query<Facts['notReferable'][number]>(NOT_REFERABLE, [
      needs.referenced.map(({ schema }) => schema),
      needs.referenced.map(({ name }) => name),
    ]),
  };
}

function mayNotCreate(needs: Needs, { self, ...facts }: Facts, database: string): readonly Failure[] {
  const { placed, inDatabase } = needs;
  const right = (message: string, hint: string) => ({ reason: 'RightMissing', message, hint });
  const first = (schema: string, owner?: string) =>
    placed.find((one) => one.schema === schema && (owner === undefined || one.owner === owner))?.label;
  const toCreate = inDatabase.filter(({ kind, name }) => kind !== 'extension' || !facts.forSuperusers.has(name));
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
  ];
}
