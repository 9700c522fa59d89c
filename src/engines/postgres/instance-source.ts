/** A whole server as the source of a backup: every database by itself, with no snapshot across them, and what they share. */
import type { ServerAccess } from '../../api/task.ts';
import type { InstanceContents } from '../../archive/contents.ts';
import { HoldfastError } from '../../lib/errors.ts';
import type { EngineContext, InstanceSource, Login } from '../engine.ts';
import type { Session } from './connection.ts';
import { attempting } from './faults.ts';
import { dumpGlobals, readGlobalsToEnd } from './globals.ts';
import { hold } from './hold.ts';
import { libpq } from './libpq.ts';
import { readNotes } from './marker.ts';
import { describeServer, mayReadPasswords } from './roles.ts';
import { sessionName } from './session-name.ts';
import { sessionOptions } from './settings.ts';
import { type DumpMeans, databaseSource } from './source.ts';
import { identifier } from './sql.ts';
import { findDumpAll, findTools } from './tools.ts';

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
  const held = stack.use(await hold(server, login, sessionName('backup', context.run), context));
  const { session, signal } = held;
  const tools = await findTools(session.server.major);
  const dumpAll = await findDumpAll(tools);
  const access = stack.use(await libpq(held.endpoint(maintenanceDatabase), context.temporary, sessionOptions(held)));
  const found = await listDatabases(session);
  refuseClosedDoors(found, login.username);
  const { databases, skipped } = choose(found);
  await tryEach({ held, tools, access }, databases);
  const passwords = await mayReadPasswords(session);

  const owned = stack.move();
  return {
    server: session.server,
    databases,
    skipped,
    globals: {
      tool: dumpAll.version,
      rolePasswords: passwords,
      dump: () => dumpGlobals({ program: dumpAll.path, maintenanceDatabase, passwords, libpq: access, signal }),
      readToEnd: readGlobalsToEnd,
    },
    database: (name) =>
      attempting(`looking at database "${name}"`, signal, () => databaseSource({ held, tools, access }, name)),
    describe: () =>
      attempting('looking at roles and tablespaces', signal, async () => {
        const now = choose(await listDatabases(session)).databases;
        return { ...(await describeServer(session, passwords)), made: now.filter((name) => !databases.includes(name)) };
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface FoundDatabase {
  readonly name: string;
  readonly allowsConnections: boolean;
  readonly isTemplate: boolean;
  readonly mayConnect: boolean;
  readonly comment: string | null;
}

const DATABASES = `
  SELECT datname AS name, datallowconn AS "allowsConnections", datistemplate AS "isTemplate",
    has_database_privilege(oid, 'CONNECT') AS "mayConnect", shobj_description(oid, 'pg_database') AS comment
  FROM pg_database ORDER BY datname`;

function listDatabases(session: Session): Promise<readonly FoundDatabase[]> {
  return session.query<FoundDatabase>(DATABASES);
}

/** Databases in which providers of managed servers keep things of their own, and let nobody in. */
const OF_PROVIDERS: ReadonlySet<string> = new Set([
  'rdsadmin',
  'cloudsqladmin',
  'alloydbadmin',
  'azure_maintenance',
  'azure_sys',
]);

function reasonToSkip({ name, allowsConnections, isTemplate, comment }: FoundDatabase): string | undefined {
  const notes = readNotes(comment);
  if (notes.scratchOf !== undefined) return 'Scratch';
  if (notes.previousOf !== undefined) return 'Previous';
  if (OF_PROVIDERS.has(name)) return 'OfTheProvider';
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
async function tryEach(means: DumpMeans, databases: readonly string[]): Promise<void> {
  for (const name of databases) await databaseSource(means, name);
}
