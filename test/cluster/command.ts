/** Runs a program to its end. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export interface CommandOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Written to the program's standard input, which is empty otherwise. */
  input?: string;
  /** A file that gets everything the program says on standard error, for the person who looks into a failure. */
  log?: string;
  /**
   * Ends with this process even when that is killed, and takes along all that it has started. For work that nobody
   * would wait for any more and that would get in the way of the next attempt.
   */
  tied?: boolean;
}

/** A program that could not be started, or that ended with anything but 0. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  /** What it had written to standard error, the end of it at least. */
  readonly stderr: string;

  constructor(message: string, stderr: string, options?: ErrorOptions) {
    super(message, options);
    this.stderr = stderr;
  }
}

/** Enough of an output to see what went wrong, little enough to read. */
const LINES_IN_A_MESSAGE = 12;

/** Runs `command` and returns its standard output. Throws `CommandFailed`. */
export async function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const log = options.log === undefined ? undefined : openLog(options.log, command, args);
  try {
    const { code, stdout, stderr } = await finished(command, args, options, log);
    if (code === 0) return stdout;
    const said = log === undefined ? stderr : readFileSync(options.log ?? '', 'utf8');
    throw new CommandFailed(failureMessage(command, args, code, said, options.log), said);
  } finally {
    if (log !== undefined) closeSync(log);
  }
}

/** Whether `command` runs and ends with 0. What it says is not kept. */
export async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}

export function failureMessage(
  command: string,
  args: readonly string[],
  code: number | string,
  output: string,
  log: string | undefined,
): string {
  const lastLines = output.trimEnd().split('\n').slice(-LINES_IN_A_MESSAGE).join('\n');
  const message = `${[command, ...args.slice(0, 4)].join(' ')}${args.length > 4 ? ' …' : ''} ended with ${code}:\n${lastLines}`;
  return log === undefined ? message : `${message}\nNext: read ${log}`;
}

interface Finished {
  code: number | string;
  stdout: string;
  stderr: string;
}

function finished(
  command: string,
  args: readonly string[],
  options: CommandOptions,
  log: number | undefined,
): Promise<Finished> {
  const { promise, resolve, reject } = Promise.withResolvers<Finished>();
  const [program, ...rest] = options.tied === true ? [...tiedPrefix(), command, ...args] : [command, ...args];
  const child = spawn(program, rest, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', log ?? 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A program that does not read its input closes the pipe; its exit code says whether that was all right.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.input ?? '');
  child.on('error', (cause) =>
    reject(new CommandFailed(`${command} could not be started: ${cause.message}`, '', { cause })),
  );
  child.on('close', (code, signal) =>
    resolve({
      code: code ?? signal ?? 'no exit code',
      stdout: Buffer.concat(stdout).toString(),
      stderr: Buffer.concat(stderr).toString(),
    }),
  );
  return promise;
}

/**
 * The kernel tells the first process of our death; a process namespace of its own, where we may make one, passes that
 * on to all its descendants.
 */
function tiedPrefix(): [string, ...string[]] {
  const namespace = process.getuid?.() === 0 ? ['unshare', '--pid', '--fork', '--kill-child', '--'] : [];
  return ['setpriv', '--pdeathsig', 'KILL', '--', ...namespace];
}

/** What is this long is not read any more. */
const LOG_LIMIT_BYTES = 5_000_000;

function openLog(path: string, command: string, args: readonly string[]): number {
  mkdirSync(dirname(path), { recursive: true });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const log = openSync(path, size > LOG_LIMIT_BYTES ? 'w' : 'a');
  writeSync(log, `$ ${command} ${args.join(' ')}\n`);
  return log;
}
