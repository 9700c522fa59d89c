/** Servers that end with this process, whatever ends it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface TiedProcess {
  pid: number;
  /** False as soon as it has ended, for whatever reason. */
  running(): boolean;
  /** Sends the signal, SIGTERM unless told otherwise, and waits for the end; after ten seconds kills it. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface TiedOptions {
  /** A file for all that it says. */
  log: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Run as this user; only root can. */
  user?: string;
  /** What the kernel sends it when this process dies. Some servers leave less behind on a milder one than KILL. */
  deathSignal?: 'KILL' | 'QUIT';
}

/** A server that does not end on a request within this time will not end at all. */
const PATIENCE_MS = 10_000;

/** Starts a server. It may fail at once: whoever waits for it to be ready asks `running()` too. */
export function startTied(command: string, args: readonly string[], options: TiedOptions): TiedProcess {
  const log = openSync(options.log, 'a');
  const child = spawn('setpriv', [...setprivFlags(options), '--', command, ...args], {
    stdio: ['ignore', log, log],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.env !== undefined && { env: options.env }),
  });
  closeSync(log);
  let running = true;
  const ended = Promise.race([once(child, 'exit'), once(child, 'error')]).finally(() => {
    running = false;
  });
  // A failed start shows in `running()`; there may be nobody yet to hear a rejection.
  ended.catch(() => undefined);
  return {
    pid: child.pid ?? -1,
    running: () => running,
    async stop(signal = 'SIGTERM') {
      if (!running) return;
      child.kill(signal);
      const impatience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      await ended.catch(() => undefined);
      clearTimeout(impatience);
    },
  };
}

export function setprivFlags(options: Pick<TiedOptions, 'user' | 'deathSignal'>): string[] {
  const { user, deathSignal = 'KILL' } = options;
  const identity = user === undefined ? [] : ['--reuid', user, '--regid', user, '--init-groups'];
  return [...identity, '--pdeathsig', deathSignal];
}

/** The end of a log, for a message about a server that did not come up. */
export function lastLinesOf(log: string, count = 8): string {
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
}
