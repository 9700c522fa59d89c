/** What our role must be allowed for a dump that goes into a new database: there nothing is in the way, but what is in it has owners. */
import type { Failure } from '../../lib/errors.ts';
import type { Session } from './connection.ts';
import type { DumpObjects } from './dump/objects.ts';
import type { TocEntry } from './dump/toc.ts';
import {
  dumpFacts,
  dumpNeeds,
  grantedByOthers,
  nameOf,
  onlySuperusers,
  rolesMissing,
  rolesNotOurs,
} from './dump-rights.ts';
import type { TargetFacts } from './facts.ts';
import { identifier } from './sql.ts';
import type { Parts } from './target-parts.ts';
import { wantedPublicSchema } from './wanted.ts';

export async function newDatabaseRefusals(
  { request, held }: Parts,
  entries: readonly TocEntry[],
  archive: DumpObjects,
  target: Pick<TargetFacts, 'owner' | 'missingRoles'>,
): Promise<readonly Failure[]> {
  // Of these the rules for the database itself have spoken already.
  const asked = new Set([target.owner.name, DATABASE_OWNER, ...target.missingRoles]);
  const all = dumpNeeds(entries, archive, { withPrivileges: request.privileges !== 'Skip', done: 'restored' });
  const preserved = request.owner === undefined;
  const owners = preserved ? [...all.owners].filter(([name]) => !asked.has(name)) : [];
  const needs = { ...all, owners: new Map(owners), named: all.named.filter((name) => !asked.has(name)) };
  const facts = await dumpFacts(held.session, needs);
  if (facts.self.superuser && preserved) return rolesMissing(needs, facts);
  const publicOwner = wantedPublicSchema(request.contents.properties, request) ?? DATABASE_OWNER;
  const guests = preserved ? guestsIn(new Set(entries), archive, publicOwner, target.owner.name) : [];
  return [
    ...rolesMissing(needs, facts),
    ...rolesNotOurs(needs, facts),
    ...onlySuperusers(needs, facts),
    ...grantedByOthers(needs, facts),
    ...(await shutOut(held.session, guests)),
  ];
}

/** Something in a schema of somebody else. */
interface Guest {
  readonly schema: string;
  readonly host: string;
  readonly owner: string;
  readonly label: string;
}

/** Whoever owns the database that it is asked in. From 15 on it owns every new schema public. */
const DATABASE_OWNER = 'pg_database_owner';

/** One for each schema and owner. Pure. */
function guestsIn(
  wanted: ReadonlySet<TocEntry>,
  archive: DumpObjects,
  publicOwner: string,
  databaseOwner: string,
): readonly Guest[] {
  const made = archive.objects.flatMap((object) => {
    const [first] = object.entries;
    const owner = nameOf(first?.owner, archive);
    return first === undefined || owner === undefined || !wanted.has(first) ? [] : [{ ...object, owner }];
  });
  const hosts = new Map([['public', publicOwner]]);
  for (const { kind, name, owner } of made) if (kind === 'schema') hosts.set(name, owner);
  const guests = made.flatMap(({ schema, owner, label }) => {
    const found = schema === undefined ? undefined : hosts.get(schema);
    const host = found === DATABASE_OWNER ? databaseOwner : found;
    return schema === undefined || host === undefined || host === owner ? [] : [{ schema, host, owner, label }];
  });
  return [...new Map(guests.map((guest) => [JSON.stringify([guest.schema, guest.owner]), guest])).values()];
}

const SHUT_OUT = `
  SELECT p.place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY p (host, owner, place)
    JOIN pg_roles h ON h.rolname = p.host JOIN pg_roles o ON o.rolname = p.owner
  WHERE NOT pg_has_role(o.oid, h.oid, 'USAGE') ORDER BY 1`;

/**
 * Whoever is given something must be allowed to make it where it is, and privileges, which may say so, are the last that pg_restore
 * restores. A superuser is not asked. Before 15 everybody may make something in schema public.
 */
async function shutOut(session: Session, all: readonly Guest[]): Promise<readonly Failure[]> {
  const guests = all.filter(({ schema }) => schema !== 'public' || session.server.major >= 15);
  const hosts = guests.map(({ host }) => host);
  const owners = guests.map(({ owner }) => owner);
  const found = await session.query<{ place: string }>(SHUT_OUT, [hosts, owners]);
  return found.flatMap(({ place }) => {
    const guest = guests[Number(place) - 1];
    return guest === undefined ? [] : [refusalOf(guest)];
  });
}

function refusalOf({ schema, host, owner, label }: Guest): Failure {
  const member = `GRANT ${identifier(host)} TO ${identifier(owner)};`;
  return {
    reason: 'RightMissing',
    message: `role "${owner}", which is to own ${label}, may not have anything in schema "${schema}" of "${host}" before privileges are restored, which comes last`,
    hint: `restore with a superuser; or lend the right for the time of the restore: ${member} and afterwards REVOKE ${identifier(host)} FROM ${identifier(owner)};`,
  };
}
