/**
 * What check and swap must know of an archive, noted in the comment of what was loaded from it: hours after the load, with the
 * app at zero, they need neither store nor key. Whoever owns the database may write its comment, so the digest is kept elsewhere.
 */
import { createHash } from 'node:crypto';
import { Check } from 'typebox/value';
import { numberedDatabaseName } from '../../api/names.ts';
import type { ServerAccess } from '../../api/task.ts';
import { type Contents, ContentsSchema, type DatabaseContents, type InstanceContents } from '../../archive/contents.ts';
import { FORMAT_VERSION } from '../../archive/layout.ts';
import { HoldfastError } from '../../lib/errors.ts';
import type { EngineContext, InstanceRequest, LoadedArchive, Login, RecallRequest } from '../engine.ts';
import { connect, type Session } from './connection.ts';
import { endpointOf } from './endpoint.ts';
import { attempting, statementFault } from './faults.ts';
import { writeNotes } from './marker.ts';
import { describeDatabase } from './properties.ts';
import { rolesMadeBy } from './roles.ts';
import { noScratch } from './scratch.ts';
import { sessionName } from './session-name.ts';
import { identifier, inAscii, literal } from './sql.ts';
import type { Parts } from './target-parts.ts';
import { wantedProperties } from './wanted.ts';

/** Of one database. */
export async function noteLoaded(parts: Parts): Promise<string | undefined> {
  const { request } = parts;
  return await note(
    parts,
    { formatVersion: FORMAT_VERSION, ...(await notedOf(parts)), recipe: [] },
    request.sourceMajor,
  );
}

/**
 * Of a whole server: with the first of its databases. Undefined where roles that are there become what they were: that takes
 * their passwords, which are to be nowhere but in the archive.
 */
export async function noteLoadedServer(
  all: readonly Parts[],
  { contents, rolesOnConflict, sourceMajor }: InstanceRequest,
): Promise<string | undefined> {
  const [first] = all;
  if (first === undefined || rolesOnConflict === 'Replace') return undefined;
  const databases: DatabaseContents[] = [];
  for (const parts of all) databases.push(await notedOf(parts));
  const roles = await rolesToSettle(first, contents);
  const nothing = { memberships: [], skipped: [], tablespaces: [], recipe: [] };
  return await note(first, { ...contents, ...nothing, databases, roles }, sourceMajor);
}

/** Those that this restore made. All that a swap still gives them is their comments. */
async function rolesToSettle(
  { held, request }: Parts,
  { roles }: InstanceContents,
): Promise<InstanceContents['roles']> {
  const made = new Set(await rolesMadeBy(held.session, request.run.uid));
  return roles.flatMap(({ password: _, ...role }) => (made.has(role.name) ? [{ ...role, settings: [] }] : []));
}

/** Any role may read a comment, so it holds what the database is to have, which any role may read as well, and no more of the archive. */
async function notedOf({ access, request, held }: Parts): Promise<DatabaseContents> {
  const { database, properties, parts, selection } = request.contents;
  const { publicSchemaOwner } = properties;
  const live = await describeDatabase(held.session, access.database);
  return {
    database,
    properties: {
      ...wantedProperties(live?.properties, properties, request),
      ...(publicSchemaOwner === undefined ? {} : { publicSchemaOwner }),
    },
    ...(selection === undefined ? {} : { selection: {} }),
    tables: [],
    parts,
  };
}

/** What the comment says by now may be what code of the archive wrote, so all of it is written anew. */
async function note({ held, request }: Parts, contents: Contents, sourceMajor: number): Promise<string | undefined> {
  const { scratchDatabase: name, run } = request;
  const scratch = await describeDatabase(held.session, name);
  if (scratch?.notes.scratchOf !== run.uid) return undefined;
  const loaded = inAscii(JSON.stringify({ sourceMajor, contents } satisfies LoadedArchive));
  const comment = literal(writeNotes({ restores: [], scratchOf: run.uid, loaded }) ?? '');
  await held.session.query(`COMMENT ON DATABASE ${identifier(name)} IS ${comment}`).catch((caught: unknown) => {
    throw statementFault(caught, `noting what was loaded into "${name}"`);
  });
  return digestOf(loaded);
}

export function recall(
  server: ServerAccess,
  login: Login,
  { run, scratchDatabase, noted }: RecallRequest,
  context: EngineContext,
): Promise<LoadedArchive> {
  const endpoint = endpointOf(server, login, server.maintenanceDatabase, sessionName('restore', run));
  return attempting('looking at what was loaded', context.signal, async () => {
    await using session = await connect(endpoint, context.signal);
    const found = await scratchOf(session, scratchDatabase, run.uid);
    if (found === undefined) throw noScratch(scratchDatabase);
    const { name, loaded } = found;
    if (loaded === undefined || digestOf(loaded) !== noted) throw changed(name);
    const value: unknown = JSON.parse(loaded);
    if (!isOurs(value)) throw changed(name);
    return value;
  });
}

/** Of a whole server the first. */
async function scratchOf(
  session: Session,
  scratch: string,
  uid: string,
): Promise<{ readonly name: string; readonly loaded: string | undefined } | undefined> {
  for (const name of [scratch, numberedDatabaseName(scratch, 0)]) {
    const { notes } = (await describeDatabase(session, name)) ?? {};
    if (notes?.scratchOf === uid) return { name, loaded: notes.loaded };
  }
  return undefined;
}

/** Written by a runner of ours, which may be older or newer. */
function isOurs(value: unknown): value is LoadedArchive {
  const { sourceMajor, contents } = value as Partial<LoadedArchive>;
  return typeof sourceMajor === 'number' && Check(ContentsSchema, contents);
}

function changed(name: string): HoldfastError {
  return new HoldfastError(
    'ScratchChanged',
    `what was noted of the archive in the comment of the scratch database "${name}" is not what its load wrote there`,
    { hint: 'see who writes comments on databases of this server, then make a new Restore' },
  );
}

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
