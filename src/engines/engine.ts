import type { Readable, Writable } from 'node:stream';
import type { CleanupTask, DatabaseAccess, RestoreBase, RestoreIdentity, RunIdentity } from '../api/task.ts';
import type { Contents, DatabaseProperties } from '../archive/contents.ts';
import type { Failure } from '../lib/errors.ts';

/** Role and password as read from the mounted Secret. */
export interface Login {
  readonly username: string;
  readonly password: string;
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
  readonly contents: Contents;
}

export interface Engine {
  readonly name: 'postgresql';
  openSource(database: DatabaseAccess, login: Login, context: EngineContext): Promise<Source>;
  openTarget(database: DatabaseAccess, login: Login, request: TargetRequest, context: EngineContext): Promise<Target>;
  /** See CleanupTask. */
  cleanUp(
    task: CleanupTask,
    login: Login,
    context: EngineContext,
  ): Promise<{ restored: boolean; previousDatabase?: string }>;
}
