import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { basename } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { messageOf } from '../lib/errors.ts';

/** What a person needs of a program's complaints is at their end. */
const STDERR_TAIL_BYTES = 4096;

/** Time between SIGTERM and SIGKILL: enough for a PostgreSQL program to cancel its query, well within a pod's grace of 30 s. */
const KILL_GRACE_MS = 3_000;

/** A grandchild may hold standard error open after the program itself has ended; its words are not waited for longer. */
const STDERR_LINGER_MS = 500;

export interface ProgramSpec {
  readonly command: string;
  readonly args: readonly string[];
  /** Added to PATH and a locale: nothing else of our own environment reaches a child. */
  readonly env?: Readonly<Record<string, string>>;
  /** When it aborts, the program gets SIGTERM and, if that does not help, SIGKILL. */
  readonly signal?: AbortSignal;
  readonly killGraceMs?: number;
}

/** How a program ended, as facts; whether that is a success is for the caller to say, see {@link exitProblem}. */
export interface Exit {
  readonly command: string;
  /** Null when a signal ended it, or it never started. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last {@link STDERR_TAIL_BYTES} of standard error. */
  readonly stderr: string;
  /** Why it could not be started. */
  readonly error?: Error;
}

export interface Program {
  readonly pid: number | undefined;
  /** Resolves when the program is gone; never rejects. Its output may still be in the pipe then. */
  readonly done: Promise<Exit>;
  /**
   * SIGTERM, then SIGKILL; with `now`, SIGKILL at once. Does not touch standard input: a program that reads must
   * never take its own killing for the end of its data. Safe to repeat.
   */
  kill(options?: { readonly now?: boolean }): void;
}

export interface WithInput {
  /** Ending it tells the program that this was all. On failure, kill the program and await `done` before this is closed. */
  readonly stdin: Writable;
}

export interface WithOutput {
  /** Attach the reader in the same tick as the start: once the program has ended, Node drains a stream that nobody reads. */
  readonly stdout: Readable;
}

/** A program that only writes. */
export function startReading(spec: ProgramSpec): Program & WithOutput {
  const child = launch(spec, ['ignore', 'pipe', 'pipe']);
  return { ...supervise(spec, child), stdout: present(child.stdout) };
}

/** A program that only reads. */
export function startWriting(spec: ProgramSpec): Program & WithInput {
  const child = launch(spec, ['pipe', 'ignore', 'pipe']);
  return { ...supervise(spec, child), stdin: present(child.stdin) };
}

/** A program that turns bytes into bytes. */
export function startFilter(spec: ProgramSpec): Program & WithInput & WithOutput {
  const child = launch(spec, ['pipe', 'pipe', 'pipe']);
  return { ...supervise(spec, child), stdin: present(child.stdin), stdout: present(child.stdout) };
}

/**
 * A program that reads what another one writes, by a pipe of the operating system: no byte passes through this process.
 * Start it in the same tick as `upstream`, whose `stdout` is no longer of use here.
 */
export function startJoined(spec: ProgramSpec, upstream: WithOutput): Program & WithOutput {
  const child = launch(spec, [upstream.stdout, 'pipe', 'pipe']);
  // Our own copy of the pipe's end must go, or the upstream never learns that its reader is gone.
  upstream.stdout.destroy();
  return { ...supervise(spec, child), stdout: present(child.stdout) };
}

/** Runs a program that says little, to its end. More than `maxOutput` bytes kills it. */
export async function run(spec: ProgramSpec, maxOutput = 1024 * 1024): Promise<Exit & { readonly stdout: string }> {
  const program = startReading(spec);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of program.stdout as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxOutput) {
      program.kill({ now: true });
      break;
    }
    chunks.push(chunk);
  }
  return { ...(await program.done), stdout: Buffer.concat(chunks).toString('utf8') };
}

/** Undefined after exit code 0; else one sentence: which program, how it ended, its last words. */
export function exitProblem(exit: Exit): string | undefined {
  if (exit.error !== undefined) return `${exit.command} could not be started: ${messageOf(exit.error)}`;
  if (exit.code === 0) return undefined;
  const how = exit.signal === null ? `ended with exit code ${exit.code}` : `was ended by ${exit.signal}`;
  const words = exit.stderr.trim().split('\n').slice(-3).join(' ').trim();
  return `${exit.command} ${how}${words === '' ? '' : `: ${words}`}`;
}

function launch(spec: ProgramSpec, stdio: StdioOptions): ChildProcess {
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8', ...spec.env };
  return spawn(spec.command, spec.args, { env, stdio });
}

function supervise(spec: ProgramSpec, child: ChildProcess): Program {
  let timer: NodeJS.Timeout | undefined;
  const kill = (options: { readonly now?: boolean } = {}) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(options.now === true ? 'SIGKILL' : 'SIGTERM');
    timer ??= setTimeout(() => child.kill('SIGKILL'), spec.killGraceMs ?? KILL_GRACE_MS);
  };
  const abort = () => kill();

  // A program that dies with bytes under way breaks its pipe; how it ended is told by `done`, not by this event.
  child.stdin?.on('error', () => {});
  const done = watch(spec, child).finally(() => {
    clearTimeout(timer);
    spec.signal?.removeEventListener('abort', abort);
  });

  if (spec.signal?.aborted) kill();
  else spec.signal?.addEventListener('abort', abort, { once: true });
  return { pid: child.pid, done, kill };
}

function watch(spec: ProgramSpec, child: ChildProcess): Promise<Exit> {
  const command = basename(spec.command);
  const stderr = tailOf(present(child.stderr));
  return new Promise((resolve) => {
    child.once('error', (error) => {
      // Also raised when a signal cannot be delivered, which is no end.
      if (child.pid === undefined) resolve({ command, code: null, signal: null, stderr: stderr.text(), error });
    });
    child.once('exit', (code, signal) => {
      const settle = () => resolve({ command, code, signal, stderr: stderr.text() });
      const linger = setTimeout(settle, STDERR_LINGER_MS);
      void stderr.ended.then(() => {
        clearTimeout(linger);
        settle();
      });
    });
  });
}

function tailOf(stream: Readable): { text(): string; readonly ended: Promise<void> } {
  let tail: Buffer = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-STDERR_TAIL_BYTES);
  });
  const ended = new Promise<void>((resolve) => {
    stream.once('close', resolve);
    stream.once('error', () => resolve());
  });
  return { text: () => tail.toString('utf8'), ended };
}

/** Node types a standard stream as nullable; those that were asked for as a pipe are there, also when the start failed. */
function present<T>(stream: T | null): T {
  if (stream === null) throw new Error('a standard stream that was asked for is missing');
  return stream;
}
