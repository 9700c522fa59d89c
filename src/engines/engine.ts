import type { Readable, Writable } from 'node:stream';
import type { TlsMode } from '../api/postgresql.ts';
import type { Selection } from '../api/postgresql-selection.ts';
import type {
  CleanupTask,
  DatabaseAccess,
  RestoreBase,
  RestoreIdentity,
  RunIdentity,
  ServerAccess,
} from '../api/task.ts';
import type { DatabaseContents, DatabaseProperties, InstanceContents } from '../archive/contents.ts';
import type { Failure } from '../lib/errors.ts';

/** What the mounted Secrets say about getting in. */
export interface Login {
  readonly username: string;
  /** Absent where the client certificate is the only proof. */
  readonly password?: string;
  /** PEM: who may have signed the certificate of the server; absent: the public authorities. */
  readonly authorities?: string;
  /** PEM, both; the chain begins with the client's own. */
  readonly certificate?: { readonly chain: string; readonly key: string };
  /** No weaker mode than this is used, whatever the spec says. */
  readonly leastTls?: TlsMode;
  /** Only SCRAM is answered, and only where it is bound to the TLS connection. */
  readonly channelBinding?: boolean;
}

/** What an engine needs of the machine it runs on. */
export interface EngineContext {
  /** A folder that is memory-backed and ours alone; files with secrets go here, mode 0600. */
  readonly temporary: string;
  /** Aborted when the run must end: every child process dies, every session closes. */
  readonly signal: AbortSignal;
  /** Whose run this is: names the sessions, so that who waits for the database can say for whom. */
  readonly run?: Pick<RunIdentity, 'namespace' | 'name' | 'uid'>;
}

/** A program at work. Its bytes flow through `output` or `input`; whether they were all of them only `done` tells. */
export interface ReadingProgram {
  readonly output: Readable;
  /** Resolves after exit code 0; rejects with a HoldfastError that says why otherwise. Never leaves the program running. */
  readonly done: Promise<void>;
  kill(): void;
}
export interface WritingProgram {
  readonly input: Writable;
  readonly done: Promise<void>;
  kill(): void;
}

/**
 * A database that is being backed up: connected, checked, locked against a second operation.
 * Opening it throws a `retry` HoldfastError for all that may heal (no answer, wrong password, no such database, somebody else at work).
 */
export interface Source extends AsyncDisposable {
  readonly server: { readonly version: string; readonly major: number };
  /** Name and version of the program that dumps, such as `pg_dump 17.6`. */
  readonly tool: string;
  readonly properties: DatabaseProperties;
  readonly tables: readonly { readonly schema: string; readonly name: string }[];
  dump(): ReadingProgram;
  /** The engine's own tool reads a dump to its end and throws it away: a truncated or broken one fails. */
  readToEnd(): WritingProgram;
}

/** The dump of one database, ready to start. */
export type DatabaseSource = Omit<Source, 'server' | keyof AsyncDisposable>;

/** What belongs to a server and not to one of its databases. */
export type ServerFacts = Pick<InstanceContents, 'roles' | 'memberships' | 'tablespaces'>;

/** A whole server that is being backed up: connected, checked, locked against every other operation on it. Opened as {@link Source}. */
export interface InstanceSource extends AsyncDisposable {
  readonly server: { readonly version: string; readonly major: number };
  /** Those to dump, in this order. */
  readonly databases: readonly string[];
  readonly skipped: InstanceContents['skipped'];
  readonly globals: {
    readonly tool: string;
    readonly rolePasswords: boolean;
    dump(): ReadingProgram;
    readToEnd(): WritingProgram;
  };
  /** Undefined where the database is gone by now. */
  database(name: string): Promise<DatabaseSource | undefined>;
  /** Asked last: then also the roles are there that own what was made meanwhile. `made`: databases that came since. */
  describe(): Promise<ServerFacts & { readonly made: readonly string[] }>;
}

export interface TargetPlan {
  readonly refusals: readonly Failure[];
  readonly alreadyRestored: boolean;
  readonly server: string;
  readonly databaseExists: boolean;
  readonly objects: number;
}

export interface SwapOutcome {
  /** Name of the replaced database, where there was one. */
  readonly previousDatabase?: string;
}

/**
 * A server that a database is being restored to: connected, locked against a second operation.
 * Nothing a client of the live database can see changes before {@link Target.swap} commits.
 */
export interface Target extends AsyncDisposable {
  /** Every right that the restore will use is tried; what is missing is a refusal with the statements that grant it. Changes nothing. */
  plan(): Promise<TargetPlan>;
  /** Makes the scratch database, empty; one left by an earlier attempt of this restore goes first. */
  createScratch(properties: DatabaseProperties): Promise<void>;
  /** Loads one dump into the scratch database. On failure the program is killed, never merely ended. */
  load(): WritingProgram;
  /**
   * Puts the scratch database in the live one's place, in one commit. Throws and changes nothing when that cannot be
   * before the fence.
   */
  swap(fence: Date): Promise<SwapOutcome>;
  /** Safe to repeat. */
  dropScratch(): Promise<void>;
  dropPrevious(): Promise<void>;
}

export interface TargetRequest extends Pick<RestoreBase, 'onConflict' | 'scratchDatabase' | 'previousDatabase'> {
  readonly run: RestoreIdentity;
  /** Major version of the server that was dumped. */
  readonly sourceMajor: number;
  /** Properties of the database that was dumped: used where there is no live database to take them from. */
  readonly contents: DatabaseContents;
}

export interface InstancePlan extends TargetPlan {
  /** What else a person would want to know beforehand, in sentences. */
  readonly notes: readonly string[];
}

/** A whole server that is being restored. As {@link Target}, of all databases at once: they go live in one commit, or none does. */
export interface InstanceTarget extends AsyncDisposable {
  /** Those of the archive that are restored, in the order in which they are loaded. */
  readonly databases: readonly DatabaseContents[];
  plan(): Promise<InstancePlan>;
  /** Makes the roles that are missing. Those that are there stay as they are. */
  makeRoles(): Promise<void>;
  /** One of {@link databases}. */
  database(name: string): Pick<Target, 'createScratch' | 'load'>;
  swap(fence: Date): Promise<{ readonly previousDatabases: readonly string[] }>;
  dropPrevious(): Promise<void>;
}

export interface InstanceRequest extends Omit<TargetRequest, 'contents' | 'previousDatabase'> {
  readonly contents: InstanceContents;
}

/** See CleanupTask. */
export interface CleanupOutcome {
  readonly restored: boolean;
  readonly previousDatabase?: string;
  readonly previousDatabases?: readonly string[];
}

export interface Engine {
  readonly name: 'postgresql';
  /** `selection`: only this part of the database; one that could not be restored by itself is refused. */
  openSource(database: DatabaseAccess, login: Login, context: EngineContext, selection?: Selection): Promise<Source>;
  openInstanceSource(server: ServerAccess, login: Login, context: EngineContext): Promise<InstanceSource>;
  openTarget(database: DatabaseAccess, login: Login, request: TargetRequest, context: EngineContext): Promise<Target>;
  openInstanceTarget(
    server: ServerAccess,
    login: Login,
    request: InstanceRequest,
    context: EngineContext,
  ): Promise<InstanceTarget>;
  cleanUp(task: CleanupTask, login: Login, context: EngineContext): Promise<CleanupOutcome>;
}
