/** The runner as a Job starts it: a process of its own, a folder of mounts, a task, Secrets as files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MOUNTS, type Report, type Task } from '../../src/api/task.ts';

const MAIN = join(import.meta.dirname, '../../dist/main/runner.mjs');

/** Mount → key → value. A mount that is not named is empty: its Secret does not exist. */
export type Secrets = Partial<Record<(typeof SECRET_MOUNTS)[number], Readonly<Record<string, string>>>>;

const SECRET_MOUNTS = ['store', 'database', 'databaseCa', 'databaseCertificate', 'identity'] as const;

export interface RunnerRun {
  readonly exitCode: number | null;
  /** Undefined where no termination message was written. */
  readonly report: Report | undefined;
  readonly log: string;
}

export interface RunningRunner {
  readonly child: ChildProcess;
  readonly ended: Promise<RunnerRun>;
  /** What it has said so far. */
  log(): string;
}

export interface RunnerOptions {
  readonly secrets: Secrets;
  /** Of the server that stands beside the runner of a drill. */
  readonly drillPassword?: string;
  readonly attempt?: string;
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function startRunner(task: Task, options: RunnerOptions): Promise<RunningRunner> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-runner-'));
  await prepare(root, task, options.secrets);
  if (options.drillPassword !== undefined) await giveDrillPassword(root, options.drillPassword);
  const terminationLog = join(root, 'termination-log');
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), MAIN], {
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      HOLDFAST_ROOT: root,
      HOLDFAST_TERMINATION_LOG: terminationLog,
      ...(options.attempt === undefined ? {} : { POD_UID: options.attempt }),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(child, 'close').then(async ([exitCode]): Promise<RunnerRun> => {
    const message = await readFile(terminationLog, 'utf8').catch(() => undefined);
    const left = await readdir(join(root, MOUNTS.temporary));
    await rm(root, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`the runner left ${left.join(', ')} in its temporary folder`);
    return { exitCode, log, report: message === undefined ? undefined : (JSON.parse(message) as Report) };
  });
  return { child, ended, log: () => log };
}

export async function runRunner(task: Task, options: RunnerOptions): Promise<RunnerRun> {
  const running = await startRunner(task, options);
  return running.ended;
}

async function prepare(root: string, task: Task, secrets: Secrets): Promise<void> {
  await mkdir(join(root, MOUNTS.temporary), { recursive: true });
  await mkdir(join(root, 'task'));
  await writeFile(join(root, MOUNTS.task), JSON.stringify(task));
  for (const mount of SECRET_MOUNTS) {
    await mkdir(join(root, MOUNTS[mount]));
    for (const [key, value] of Object.entries(secrets[mount] ?? {})) {
      await writeFile(join(root, MOUNTS[mount], key), value, { mode: 0o444 });
    }
  }
}

async function giveDrillPassword(root: string, password: string): Promise<void> {
  await mkdir(join(root, dirname(MOUNTS.drill)));
  await writeFile(join(root, MOUNTS.drill), password, { mode: 0o600 });
}

/** The children of a process that run a program of the given name. */
export async function childrenNamed(parent: number, name: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    const match = /^\d+ \((.*)\) . (\d+)/.exec(stat);
    if (match?.[1] === name && Number(match[2]) === parent) found.push(Number(entry));
  }
  return found;
}
