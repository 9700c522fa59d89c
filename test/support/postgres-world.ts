/** A real server with roles and databases for a test to play with. */
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { previousDatabaseName, scratchDatabaseName } from '../../src/api/names.ts';
import type { Selection } from '../../src/api/postgresql-selection.ts';
import type { DatabaseAccess, RestoreIdentity, ServerAccess } from '../../src/api/task.ts';
import type { Contents, DatabaseContents, DatabaseProperties } from '../../src/archive/contents.ts';
import type { EngineContext, Login, Target, TargetRequest } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { type LocalPostgres, localPostgres } from '../cluster/postgres.ts';
import { scramVerifier } from '../cluster/scram.ts';
import { type Fingerprint, fingerprint } from './postgres-fingerprint.ts';

export const PASSWORD = 'pa:ss\\w0rd ☂';

export interface PostgresWorld extends AsyncDisposable {
  readonly server: LocalPostgres;
  readonly superuser: Login;
  readonly context: EngineContext;
  /** As the superuser, each statement by itself. Returns the rows of the last. */
  sql(database: string, ...statements: readonly string[]): Promise<readonly Record<string, unknown>[]>;
  /** A role that can log in with {@link PASSWORD}. */
  role(name: string, options?: string): Promise<Login>;
  databases(): Promise<readonly string[]>;
  client(database: string, login?: Login): pg.Client;
  readonly serverAccess: ServerAccess;
  access(database: string): DatabaseAccess;
  print(database: string): Promise<Fingerprint>;
}

export async function postgresWorld(
  settings: Readonly<Record<string, string>> = {},
  start: typeof localPostgres = localPostgres,
): Promise<PostgresWorld> {
  const server = await start({ settings });
  const temporary = await mkdtemp(join(tmpdir(), 'holdfast-engine-'));
  await chmod(temporary, 0o700);
  const superuser = { username: server.superuser, password: server.password };
  const config = (database: string, login: Login = superuser): pg.ClientConfig => ({
    host: server.host,
    port: server.port,
    user: login.username,
    password: login.password,
    database,
    application_name: 'test',
  });
  const client = (database: string, login?: Login) => {
    const made = new pg.Client(config(database, login));
    made.on('error', () => {});
    return made;
  };
  const sql: PostgresWorld['sql'] = async (database, ...statements) => {
    const session = client(database);
    await session.connect();
    try {
      let rows: readonly Record<string, unknown>[] = [];
      for (const statement of statements) rows = (await session.query(statement)).rows;
      return rows;
    } finally {
      await session.end();
    }
  };
  const serverAccess: ServerAccess = {
    engine: 'postgresql',
    host: server.host,
    port: server.port,
    maintenanceDatabase: 'postgres',
    credentials: { secret: 'db', usernameKey: 'username', passwordKey: 'password' },
  };
  return {
    server,
    superuser,
    context: { temporary, signal: new AbortController().signal },
    sql,
    client,
    role: async (name, options = '') => {
      const [id, secret] = [pg.escapeIdentifier(name), pg.escapeLiteral(scramVerifier(PASSWORD))];
      await sql('postgres', `CREATE ROLE ${id} LOGIN PASSWORD ${secret} ${options}`);
      return { username: name, password: PASSWORD };
    },
    databases: async () =>
      (await sql('postgres', 'SELECT datname FROM pg_database ORDER BY 1')).map((row) => String(row['datname'])),
    serverAccess,
    access: (database) => ({ ...serverAccess, database }),
    print: (database) => fingerprint(config(database)),
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await rm(temporary, { recursive: true, force: true });
    },
  };
}

export interface Archive {
  readonly bytes: Buffer;
  readonly properties: DatabaseProperties;
  readonly major: number;
  readonly tables?: DatabaseContents['tables'];
  readonly selection?: Selection;
}

/** A whole backup, as the runner would take it, kept in memory. */
export async function dumpOf(
  world: PostgresWorld,
  database: string,
  login = world.superuser,
  selection?: Selection,
): Promise<Archive & Required<Pick<Archive, 'tables'>>> {
  await using source = await postgres.openSource(world.access(database), login, world.context, selection);
  const program = source.dump();
  const [bytes] = await Promise.all([buffer(program.output), program.done]);
  const reader = source.readToEnd();
  await Promise.all([pipeline(Readable.from(pieces(bytes)), reader.input), reader.done]);
  const { properties, server, tables } = source;
  const facts = { bytes, properties, major: server.major, tables: [...tables] };
  return selection === undefined ? facts : { ...facts, selection };
}

export function* pieces(bytes: Buffer, size = 65_536): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function aRestore(over: Partial<RestoreIdentity> = {}): RestoreIdentity {
  const uid = over.uid ?? randomUUID();
  return { cluster: 'test', namespace: 'shop', name: `restore-${uid}`, uid, specHash: 'a1b2', ...over };
}

export function requestFor(archive: Archive, database: string, over: Partial<TargetRequest> = {}): TargetRequest {
  const run = over.run ?? aRestore();
  const contents: Contents = {
    formatVersion: 1,
    database,
    properties: archive.properties,
    tables: [...(archive.tables ?? [])],
    ...(archive.selection === undefined ? {} : { selection: archive.selection }),
    parts: [{ part: 0, tool: 'pg_dump', format: 'custom', plain: { size: archive.bytes.length, sha256: '' } }],
    recipe: [],
  };
  return {
    run,
    onConflict: 'Replace',
    scratchDatabase: scratchDatabaseName(run),
    previousDatabase: previousDatabaseName(database, run),
    sourceMajor: archive.major,
    contents,
    ...over,
  };
}

export async function loadInto(target: Target, archive: Archive): Promise<void> {
  await target.createScratch(archive.properties);
  const program = target.load();
  // The program's own word goes first: that its input broke is only the echo.
  const [sent, done] = await Promise.allSettled([
    pipeline(Readable.from(pieces(archive.bytes)), program.input),
    program.done,
  ]);
  for (const end of [done, sent]) if (end.status === 'rejected') throw end.reason;
}

export const inTheFuture = (milliseconds = 600_000) => new Date(Date.now() + milliseconds);
