/** A whole server as the source of a backup: every database by itself, with no snapshot across them, and what they share. */
import { scratchDatabaseName } from '../../api/names.ts';
import type { ServerAccess } from '../../api/task.ts';
import type { InstanceContents } from '../../archive/contents.ts';
import { HoldfastError } from '../../lib/errors.ts';
import type { EngineContext, InstanceSource, Login } from '../engine.ts';
import type { Session } from './connection.ts';
import { attempting } from './faults.ts';
import { dumpGlobals, readGlobalsToEnd } from './globals.ts';
import { readNotes, replacedBy } from './marker.ts';
import type { Means } from './means.ts';
import { OF_PROVIDERS } from './providers.ts';
import { describeServer, mayReadPasswords } from './roles.ts';
import { databaseSource, openForDump } from './source.ts';
import { identifier } from './sql.ts';
import { findDumpAll } from './tools.ts';

export function openInstanceSource(
  server: ServerAccess,
  login: Login,
  context: EngineContext,
): Promise<InstanceSource> {
  return attempting('opening the server', context.signal, () => open(server, login, context));
}

async function open(server: ServerAccess, login: Login, context: EngineContext): Promise<InstanceSource> {
  const { maintenanceDatabase } = server;
  await using stack = new AsyncDisposableStack();
  const means = stack.use(await openForDump(server, maintenanceDatabase, login, context));
  const { session, signal } = means.held;
  const dumpAll = await findDumpAll(means.tools);
  const found = await listDatabases(session);
  refuseClosedDoors(found, login.username);
  const { databases, skipped } = choose(found);
  await tryEach(means, databases);
  const passwords = await mayReadPasswords(session);

  const owned = stack.move();
  return {
    server: session.server,
    databases,
    skipped,
    globals: {
      tool: dumpAll.version,
      rolePasswords: passwords,
      dump: () => dumpGlobals({ program: dumpAll.path, maintenanceDatabase, passwords, libpq: means.programs, signal }),
      readToEnd: readGlobalsToEnd,
    },
    database: (name) =>
      attempting(`looking at database "${name}"`, signal, async () => {
        const source = await databaseSource(means, name);
        if (source === undefined) await refuseRenamed(session, name, found.find((each) => each.name === name)?.oid);
        return source;
      }),
    describe: () =>
      attempting('looking at roles and tablespaces', signal, async () => {
        const now = choose(await listDatabases(session)).databases;
        return { ...(await describeServer(session, passwords)), made: now.filter((name) => !databases.includes(name)) };
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface FoundDatabase {
  readonly oid: string;
  readonly name: string;
  readonly allowsConnections: boolean;
  readonly isTemplate: boolean;
  /** A DROP DATABASE was cut off in it: nobody can get in any more, and all that is left to do is to drop it. */
  readonly isInvalid: boolean;
  readonly mayConnect: boolean;
  readonly comment: string | null;
}

const DATABASES = `
  SELECT oid::text AS oid, datname AS name, datallowconn AS "allowsConnections", datistemplate AS "isTemplate", datconnlimit = -2 AS "isInvalid",
    has_database_privilege(oid, 'CONNECT') AS "mayConnect", shobj_description(oid, 'pg_database') AS comment
  FROM pg_database ORDER BY datname`;

function listDatabases(session: Session): Promise<readonly FoundDatabase[]> {
  return session.query<FoundDatabase>(DATABASES);
}

/** Exported for its test. */
export function reasonToSkip(found: FoundDatabase): string | undefined {
  const { name, allowsConnections, isTemplate, isInvalid, comment } = found;
  const notes = readNotes(comment);
  const { scratchOf } = notes;
  // A mark counts with the name that goes with it only: what a person renamed, such as a previous database that is live again, is in use.
  if (scratchOf !== undefined && name.startsWith(scratchDatabaseName({ uid: scratchOf }))) return 'Scratch';
  if (replacedBy(notes, name) !== undefined) return 'Previous';
  if (OF_PROVIDERS.has(name)) return 'OfTheProvider';
  if (isInvalid) return 'Invalid';
  if (isTemplate) return 'Template';
  return allowsConnections ? undefined : 'ConnectionsNotAllowed';
}

function choose(found: readonly FoundDatabase[]): {
  readonly databases: readonly string[];
  readonly skipped: InstanceContents['skipped'];
} {
  const databases: string[] = [];
  const skipped: InstanceContents['skipped'] = [];
  for (const each of found) {
    const reason = reasonToSkip(each);
    if (reason === undefined) databases.push(each.name);
    // Every server has its own, and nobody can write to it.
    else if (each.name !== 'template0') skipped.push({ database: each.name, reason });
  }
  return { databases, skipped };
}

/** One that was dropped is nobody's loss; one that has another name by now would be missing from the archive without a word. */
async function refuseRenamed(session: Session, name: string, oid: string | undefined): Promise<void> {
  const [row] = await session.query<{ now: string }>('SELECT datname AS now FROM pg_database WHERE oid::text = $1', [
    oid,
  ]);
  if (row === undefined) return;
  throw new HoldfastError('DatabaseRenamed', `database "${name}" was renamed to "${row.now}" during the backup`, {
    hint: 'make a new Backup when nobody renames databases on this server',
  });
}

/** A backup of a server from which a database is missing, only because a right was, would be a bad surprise. */
function refuseClosedDoors(found: readonly FoundDatabase[], role: string): void {
  const closed = found.filter((each) => reasonToSkip(each) === undefined && !each.mayConnect).map(({ name }) => name);
  if (closed.length === 0) return;
  throw new HoldfastError(
    'RightMissing',
    `role "${role}" may not connect to ${closed.map((name) => `"${name}"`).join(', ')}`,
    {
      outlook: 'retry',
      hint: closed.map((name) => `GRANT CONNECT ON DATABASE ${identifier(name)} TO ${identifier(role)};`).join(' '),
    },
  );
}

/** Shows, before the run counts as begun, what only a look inside shows: a table that may not be read, a line that pg_hba.conf lacks. */
async function tryEach(means: Means, databases: readonly string[]): Promise<void> {
  for (const name of databases) await databaseSource(means, name);
}
