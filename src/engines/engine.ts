import type { Readable, Writable } from 'node:stream';
import type { RestoreChoices } from '../api/choices.ts';
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
import type { UndoneRestore } from '../api/undone.ts';
import type { Contents, DatabaseContents, DatabaseProperties, InstanceContents } from '../archive/contents.ts';
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
  /** What stands in nobody's way and may not be what is wanted, in sentences. */
  readonly warnings?: readonly string[];
  /** True: what is restored joins what the live database has, by {@link Target.addTo}, and nothing is swapped. */
  readonly inPlace?: boolean;
  /** What else a person would want to know beforehand, in sentences. */
  readonly notes?: readonly string[];
}

/** What became of the objects of a live database and of an archive, in words that people know them by. */
export interface ObjectsReport {
  readonly added: readonly string[];
  /** Were there, and are as they were. */
  readonly kept: readonly string[];
  readonly replaced: readonly string[];
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
   * After the load: notes with what was loaded what {@link Engine.recall} tells, and returns its digest. Undefined where that
   * cannot be kept there: then the archive itself has to be read again.
   */
  note(): Promise<string | undefined>;
  /**
   * Where the plan is in place: loads one dump into the live database, all of it in one commit before the fence, or nothing.
   * `report` once it is done.
   */
  addTo(fence: Date): WritingProgram & { report(): ObjectsReport };
  /**
   * The only column of the only row of a query on the scratch database, as text; it cannot change anything. Throws what the
   * database says against the query.
   */
  ask(sql: string, deadline: Date): Promise<string>;
  /**
   * Puts the scratch database in the live one's place, in one commit. Throws and changes nothing when that cannot be
   * before the fence.
   */
  swap(fence: Date): Promise<SwapOutcome>;
  /** Safe to repeat. */
  dropScratch(): Promise<void>;
  dropPrevious(): Promise<void>;
}

export interface TargetRequest
  extends Pick<RestoreBase, 'onConflict' | 'scratchDatabase' | 'previousDatabase'>,
    RestoreChoices {
  readonly run: RestoreIdentity;
  /** Major version of the server that was dumped. */
  readonly sourceMajor: number;
  /** Properties of the database that was dumped: used where there is no live database to take them from. */
  readonly contents: DatabaseContents;
  /** Feeds the dump, from its beginning, to a program that is done when it has seen enough. For plans that depend on what is in it. */
  begin?(program: WritingProgram): Promise<void>;
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
  database(name: string): Pick<Target, 'createScratch' | 'load' | 'ask'>;
  /** As {@link Target.note}, once all are loaded. */
  note(): Promise<string | undefined>;
  swap(fence: Date): Promise<{ readonly previousDatabases: readonly string[] }>;
  dropPrevious(): Promise<void>;
}

/** What is asked and swapped by once it is loaded. */
export interface LoadedArchive {
  /** Major version of the server that was dumped. */
  readonly sourceMajor: number;
  /** Without names of tables, and without passwords of roles. */
  readonly contents: Contents;
}

export interface RecallRequest extends Pick<RestoreBase, 'scratchDatabase'> {
  readonly run: RestoreIdentity;
  /** What {@link Target.note} returned. */
  readonly noted: string;
}

export interface InstanceRequest extends Omit<TargetRequest, 'contents' | 'previousDatabase' | 'begin'> {
  readonly contents: InstanceContents;
  /** As {@link TargetRequest.begin}, of one of its databases. */
  begin?(contents: DatabaseContents, program: WritingProgram): Promise<void>;
}

export interface UndoRequest {
  readonly run: RestoreIdentity;
  readonly undone: UndoneRestore;
}

export interface UndoPlan extends TargetPlan {
  /** Which database goes live, and what becomes of the one that is, in sentences. */
  readonly notes: readonly string[];
}

/**
 * A server on which the databases that a restore replaced go live again: connected, locked against a second operation. All of
 * them go live in one commit, or none does.
 */
export interface UndoTarget extends AsyncDisposable {
  /** What is kept, and every right that will be used; `PreviousGone` is a refusal. Changes nothing. */
  plan(): Promise<UndoPlan>;
  /** As {@link Target.swap}. What was live is kept, so that an undo can be undone. */
  swap(fence: Date): Promise<Omit<CleanupOutcome, 'restored'>>;
  /** Safe to repeat. */
  dropPrevious(): Promise<void>;
}

/** What an archive needs of a server and does not bring along itself. */
export interface Requirements {
  readonly roles: readonly string[];
  readonly tablespaces: readonly string[];
}

/** Takes a dump from its beginning and may have enough, and be done, before its end. */
export interface RequirementsReader extends WritingProgram {
  /** Complete once `done` has resolved. */
  found(): Requirements;
}

/** What is in a database, counted and not estimated. */
export interface Census {
  readonly bytes: number;
  /** Those with most rows first. */
  readonly tables: readonly { readonly schema: string; readonly name: string; readonly rows: number }[];
}

/**
 * A server that was made for one archive and goes with it: we are its superuser, and nobody else is there. So what an
 * archive needs is simply made.
 */
export interface ThrowawayServer extends AsyncDisposable {
  readonly server: { readonly version: string; readonly major: number };
  readRequirements(): RequirementsReader;
  /** Makes what is missing; `archived` are the roles of a whole server as they were. What is there stays. */
  furnish(needs: Requirements, archived?: Pick<InstanceContents, 'roles' | 'memberships'>): Promise<void>;
  /** Makes a database as one that was dumped, with what it needs of the server. Returns what could not be as it was, in sentences. */
  create(database: string, properties: DatabaseProperties): Promise<readonly string[]>;
  load(database: string): WritingProgram;
  /** As {@link Target.ask}. */
  ask(database: string, sql: string, deadline: Date): Promise<string>;
  /** What a dump does not carry, given to a database that was loaded: privileges on it, settings, its comment. */
  dress(database: string, properties: DatabaseProperties): Promise<void>;
  census(database: string): Promise<Census>;
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
  /** What a load noted: fails with `ScratchMissing` or `ScratchChanged` where it is not there any more. */
  recall(server: ServerAccess, login: Login, request: RecallRequest, context: EngineContext): Promise<LoadedArchive>;
  openUndo(server: ServerAccess, login: Login, request: UndoRequest, context: EngineContext): Promise<UndoTarget>;
  cleanUp(task: CleanupTask, login: Login, context: EngineContext): Promise<CleanupOutcome>;
  /** Throws a `retry` HoldfastError while it does not answer. */
  openThrowaway(server: ServerAccess, login: Login, context: EngineContext): Promise<ThrowawayServer>;
}
