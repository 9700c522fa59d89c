import type { DatabaseProperties } from '../../src/archive/contents.ts';
import type {
  Engine,
  EngineContext,
  LoadedArchive,
  ReadingProgram,
  Source,
  Target,
  TargetPlan,
  WritingProgram,
} from '../../src/engines/engine.ts';
import { HoldfastError } from '../../src/lib/errors.ts';
import { exitProblem, type Program, startReading, startWriting } from '../../src/platform/subprocess.ts';

/** How a program ends, after it wrote or read `after` bytes. */
export interface Fate {
  readonly after?: number;
  readonly how: 'exit 0' | 'exit 1' | 'SIGKILL' | 'SIGSEGV' | 'hang';
}

export interface FakeDatabase {
  /** What a dump writes. */
  content: Buffer;
  dumpFate?: Fate;
  /** Of the program that reads a dump to its end. It always fails on content that is not whole. */
  readFate?: Fate;
  loadFate?: Fate;
  openFailure?: HoldfastError;
  plan?: Partial<TargetPlan>;
  /** What a load notes, or why it cannot, and why a swap does not find it. Absent: it notes nothing. */
  note?: LoadedArchive | HoldfastError;
  swapFailure?: HoldfastError;
  /** The commit happened though the swap reported a failure. */
  committed?: boolean;
  /** What a check is told. */
  answer?: (sql: string) => string;
  dropPreviousFailure?: HoldfastError;
  closeFailure?: Error;
}

/** What was done to the fake server, in order. */
export interface FakeServer {
  readonly engine: Engine;
  readonly calls: string[];
  /** What a loader got before it ended or was killed; whole only if it saw the end of its input. */
  readonly loaded: { bytes: Buffer; whole: boolean }[];
  readonly processes: Program[];
}

const PROPERTIES: DatabaseProperties = {
  owner: 'app',
  encoding: 'UTF8',
  localeProvider: 'c',
  collate: 'C.UTF-8',
  ctype: 'C.UTF-8',
  tablespace: 'pg_default',
  connectionLimit: -1,
  settings: [],
};

/** The digest of whatever was noted. */
export const NOTED = `sha256:${'a'.repeat(64)}`;

const END = `
function end(how) {
  if (how === 'hang') { process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); return; }
  if (how === 'exit 1') { process.stderr.write('it was told to fail'); process.exitCode = 1; return; }
  if (how !== 'exit 0') process.kill(process.pid, how);
}`;

/** Repeats a pattern up to the wanted length, so that no content passes through arguments. */
const WRITER = `${END}
const [seed, size, after, how] = [process.argv[1], ...process.argv.slice(2, 4).map(Number), process.argv[4]];
const crypto = require('node:crypto');
const bytes = crypto.createCipheriv('aes-128-ctr', Buffer.from(seed.padEnd(16)), Buffer.alloc(16)).update(Buffer.alloc(size));
let at = 0;
const last = Math.min(after, size);
(function next() {
  if (at >= last) return end(how);
  const piece = bytes.subarray(at, Math.min(at + 65536, last));
  at += piece.length;
  process.stdout.write(piece, next);
})();`;

/** Tells on its output what it got, and with its exit code whether that was whole. */
const READER = `${END}
const [size, after, how] = [...process.argv.slice(1, 3).map(Number), process.argv[3]];
let got = 0;
process.stdin.on('data', (chunk) => {
  got += chunk.length;
  if (got >= after) { process.stdin.pause(); end(how); if (how === 'exit 0') process.exit(0); }
});
process.stdin.on('end', () => { if (got !== size && how === 'exit 0') { process.stderr.write('truncated'); process.exitCode = 3; } });`;

/** The bytes that a dump of this size and seed writes. */
export async function fakeContent(size: number, seed = 'seed'): Promise<Buffer> {
  const { createCipheriv } = await import('node:crypto');
  return createCipheriv('aes-128-ctr', Buffer.from(seed.padEnd(16)), Buffer.alloc(16)).update(Buffer.alloc(size));
}

export function fakeServer(database: FakeDatabase): FakeServer {
  const calls: string[] = [];
  const loaded: { bytes: Buffer; whole: boolean }[] = [];
  const processes: Program[] = [];
  const called = (name: string) => void calls.push(name);

  const dump = (context: EngineContext): ReadingProgram => {
    called('dump');
    const { after = Number.MAX_SAFE_INTEGER, how = 'exit 0' } = database.dumpFate ?? {};
    const args = ['-e', WRITER, 'seed', String(database.content.length), String(after), how];
    const program = startReading({ command: process.execPath, args, signal: context.signal, killGraceMs: 200 });
    processes.push(program);
    return { output: program.stdout, done: judged(program), kill: () => program.kill() };
  };

  const reader = (context: EngineContext, fate: Fate = { how: 'exit 0' }): WritingProgram => {
    const { after = Number.MAX_SAFE_INTEGER, how } = fate;
    const args = ['-e', READER, String(database.content.length), String(after), how];
    const program = startWriting({ command: process.execPath, args, signal: context.signal, killGraceMs: 200 });
    processes.push(program);
    return { input: program.stdin, done: judged(program), kill: () => program.kill({ now: true }) };
  };

  const close = async () => {
    called('close');
    if (database.closeFailure !== undefined) throw database.closeFailure;
  };

  const source = (context: EngineContext): Source => ({
    server: { version: '17.6', major: 17 },
    tool: 'fake_dump 1.0',
    properties: PROPERTIES,
    tables: [{ schema: 'public', name: 'visits' }],
    dump: () => dump(context),
    readToEnd: () => reader(context, database.readFate),
    [Symbol.asyncDispose]: close,
  });

  const target = (context: EngineContext): Target => ({
    plan: async () => ({
      refusals: [],
      alreadyRestored: false,
      server: '17.6',
      databaseExists: true,
      objects: 1,
      ...database.plan,
    }),
    createScratch: async () => called('createScratch'),
    load: () => recording(reader(context, database.loadFate), loaded),
    note: async () => {
      called('note');
      if (database.note === undefined) return undefined;
      if (database.note instanceof HoldfastError) throw database.note;
      return NOTED;
    },
    addTo: () => ({
      ...recording(reader(context, database.loadFate), loaded),
      report: () => ({ added: ['table "public"."visits"'], kept: [], replaced: [] }),
    }),
    ask: async (sql) => {
      called('ask');
      return database.answer?.(sql) ?? 'true';
    },
    swap: async () => {
      called('swap');
      if (database.swapFailure !== undefined) throw database.swapFailure;
      return { previousDatabase: 'before' };
    },
    dropScratch: async () => called('dropScratch'),
    dropPrevious: async () => {
      called('dropPrevious');
      if (database.dropPreviousFailure !== undefined) throw database.dropPreviousFailure;
    },
    [Symbol.asyncDispose]: close,
  });

  const engine: Engine = {
    name: 'postgresql',
    openSource: async (_database, _login, context) => {
      called('openSource');
      if (database.openFailure !== undefined) throw database.openFailure;
      return source(context);
    },
    openInstanceSource: async () => {
      throw new Error('the fake has one database');
    },
    openInstanceTarget: async () => {
      throw new Error('the fake has one database');
    },
    openThrowaway: async () => {
      throw new Error('the fake is no server of its own');
    },
    recall: async () => {
      called('recall');
      if (database.note instanceof HoldfastError) throw database.note;
      if (database.note === undefined) throw new Error('nothing was noted');
      return database.note;
    },
    openUndo: async () => {
      throw new Error('the fake keeps nothing');
    },
    openTarget: async (_database, _login, _request, context) => {
      called('openTarget');
      if (database.openFailure !== undefined) throw database.openFailure;
      return target(context);
    },
    cleanUp: async (_task, _login, context) => {
      called('cleanUp');
      context.signal.throwIfAborted();
      return database.committed === true ? { restored: true, previousDatabase: 'before' } : { restored: false };
    },
  };
  return { engine, calls, loaded, processes };
}

/** Keeps what the loader got, and whether it was told that this was all. */
function recording(program: WritingProgram, loaded: { bytes: Buffer; whole: boolean }[]): WritingProgram {
  const record = { bytes: Buffer.alloc(0), whole: false };
  loaded.push(record);
  const { input } = program;
  const [write, end] = [input.write.bind(input), input.end.bind(input)];
  input.write = ((chunk: Buffer, ...rest: unknown[]) => {
    record.bytes = Buffer.concat([record.bytes, chunk]);
    return (write as (...all: unknown[]) => boolean)(chunk, ...rest);
  }) as typeof input.write;
  input.end = ((...rest: unknown[]) => {
    record.whole = true;
    return (end as (...all: unknown[]) => typeof input)(...rest);
  }) as typeof input.end;
  return program;
}

function judged(program: Program): Promise<void> {
  const done = program.done.then((exit) => {
    const problem = exitProblem(exit);
    if (problem !== undefined) throw new HoldfastError('ProgramFailed', `the fake: ${problem}`);
  });
  done.catch(() => {});
  return done;
}
