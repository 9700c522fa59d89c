/** What our role must be allowed for a dump that goes into a new database: there nothing is in the way, but what is in it has owners. */
import type { Failure } from '../../lib/errors.ts';
import type { Session } from './connection.ts';
import type { DumpObjects } from './dump/objects.ts';
import type { TocEntry } from './dump/toc.ts';
import {
  dumpFacts,
  dumpNeeds,
  grantedByOthers,
  isOwned,
  nameOf,
  onlySuperusers,
  rolesMissing,
  rolesNotOurs,
} from './dump-rights.ts';
import { roleFacts, type TargetFacts } from './facts.ts';
import { grantOf } from './rights.ts';
import type { Parts } from './target-parts.ts';
import { wantedPublicSchema } from './wanted.ts';

export async function newDatabaseRefusals(
  { access, request, held }: Parts,
  entries: readonly TocEntry[],
  archive: DumpObjects,
  target: Pick<TargetFacts, 'owner' | 'missingRoles'>,
  rolesToMake: ReadonlySet<string>,
): Promise<readonly Failure[]> {
  // Of these the rules for the database itself have spoken already; and a role that we make is ours.
  const asked = new Set([target.owner.name, DATABASE_OWNER, ...target.missingRoles, ...rolesToMake]);
  const all = dumpNeeds(entries, archive, { withPrivileges: request.privileges !== 'Skip', done: 'restored' });
  const preserved = request.owner === undefined;
  const owners = preserved ? [...all.owners].filter(([name]) => !asked.has(name)) : [];
  const needs = { ...all, owners: new Map(owners), named: all.named.filter((name) => !asked.has(name)) };
  const facts = await dumpFacts(held.session, needs);
  if (facts.self.superuser && preserved) return rolesMissing(needs, facts);
  const guests = preserved
    ? guestsIn(new Set(entries), archive, await publicOwner(held.session, request), target.owner.name)
    : [];
  return [
    ...rolesMissing(needs, facts),
    ...rolesNotOurs(needs, facts),
    ...onlySuperusers(needs, facts, { database: access.database, isThere: false }),
    ...grantedByOthers(needs, facts),
    ...(await shutOut(held.session, guests)),
    ...(request.owner === undefined ? [] : await giversOf(held.session, request.owner, needs.givers)),
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

/** Who will own schema public: whoever the archive says, where we may give it to him (public-schema.ts). */
async function publicOwner(session: Session, request: Parts['request']): Promise<string> {
  const wanted = wantedPublicSchema(request.contents.properties, request);
  if (wanted == null) return DATABASE_OWNER;
  return (await roleFacts(session, wanted)).maySet ? wanted : DATABASE_OWNER;
}

/** One for each schema and owner. Pure. */
function guestsIn(
  wanted: ReadonlySet<TocEntry>,
  archive: DumpObjects,
  ownerOfPublic: string,
  databaseOwner: string,
): readonly Guest[] {
  const made = archive.objects.flatMap((object) => {
    const given = object.entries.find((entry) => wanted.has(entry) && isOwned(entry));
    const owner = nameOf(given?.owner, archive);
    return owner === undefined ? [] : [{ ...object, owner }];
  });
  const hosts = new Map([['public', ownerOfPublic]]);
  for (const { kind, name, owner } of made) if (kind === 'schema') hosts.set(name, owner);
  const guests = made.flatMap(({ schema, owner, label }) => {
    const found = schema === undefined ? undefined : hosts.get(schema);
    const host = found === DATABASE_OWNER ? databaseOwner : found;
    if (schema === undefined || host === undefined || host === owner || found === owner) return [];
    return [{ schema, host, owner, label }];
  });
  return [...new Map(guests.map((guest) => [JSON.stringify([guest.schema, guest.owner]), guest])).values()];
}

const SHUT_OUT = `
  SELECT p.place, h.rolsuper AS superuser, pg_has_role(o.oid, h.oid, 'MEMBER') AS "isMember"
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY p (host, owner, place)
    JOIN pg_roles h ON h.rolname = p.host JOIN pg_roles o ON o.rolname = p.owner
  WHERE NOT pg_has_role(o.oid, h.oid, 'USAGE') ORDER BY 1`;

interface ShutOut {
  readonly place: string;
  readonly superuser: boolean;
  readonly isMember: boolean;
}

/**
 * Whoever is given something must be allowed to make it where it is, and privileges, which may say so, are the last that pg_restore
 * restores. A superuser is not asked. Before 15 everybody may make something in schema public.
 */
async function shutOut(session: Session, all: readonly Guest[]): Promise<readonly Failure[]> {
  const { major } = session.server;
  const guests = all.filter(({ schema }) => schema !== 'public' || major >= 15);
  const hosts = guests.map(({ host }) => host);
  const owners = guests.map(({ owner }) => owner);
  return (await session.query<ShutOut>(SHUT_OUT, [hosts, owners])).flatMap(({ place, superuser, isMember }) => {
    const guest = guests[Number(place) - 1];
    if (guest === undefined) return [];
    const { schema, host, owner, label } = guest;
    const lend = superuser
      ? ''
      : `; or lend the right for the time of the restore: ${grantOf(host, owner, major, isMember)}`;
    return [
      {
        reason: 'RightMissing',
        message: `role "${owner}", which is to own ${label}, may not have anything in schema "${schema}" of "${host}" before privileges are restored, which comes last`,
        hint: `restore with a superuser${lend}`,
      },
    ];
  });
}

/** Where all is given to one role, that role also says what new objects of others are open to. */
async function giversOf(session: Session, loader: string, givers: readonly string[]): Promise<readonly Failure[]> {
  const others = await session.query<{ name: string }>(
    `SELECT r.rolname AS name FROM pg_roles r JOIN pg_roles l ON l.rolname = $2
     WHERE r.rolname = ANY ($1) AND NOT pg_has_role(l.oid, r.oid, $3) ORDER BY 1`,
    // Before 16 to be a member was enough.
    [[...givers], loader, session.server.major >= 16 ? 'USAGE' : 'MEMBER'],
  );
  if (others.length === 0) return [];
  const names = others.map(({ name }) => `"${name}"`).join(', ');
  return [
    {
      reason: 'RightMissing',
      message: `role "${loader}", that target.postgresql.ownership names, may not say what new objects of ${names} are open to, as default privileges in the archive do`,
      hint: 'leave them out with target.postgresql.privileges: Skip',
    },
  ];
}
