/**
 * A lock between processes, by name, that no kill can leave behind.
 *
 * flock(1) holds it on our behalf for as long as its standard input stays open. The kernel closes that when this
 * process ends, however it ends, and with it goes the lock: there is no stale lock file to judge.
 */
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoot } from './cache-root.ts';
import { say } from './progress.ts';

/** Longer than this is a real wait, and the person should know what for. */
const QUIET_WAIT_MS = 1_500;

/** Runs `work` while no other process, and no other caller in this one, holds the lock of that name. */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const release = await takeLock(name);
  try {
    return await work();
  } finally {
    await release();
  }
}

async function takeLock(name: string): Promise<() => Promise<void>> {
  const folder = join(cacheRoot(), 'locks');
  await mkdir(folder, { recursive: true });
  const held = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const holder = spawn('flock', [join(folder, name), 'sh', '-c', 'echo held; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  holder.stdout.once('data', () => held.resolve());
  holder.stdin.on('error', () => undefined);
  holder.once('error', (cause) => held.reject(cannotLock(name, cause)));
  holder.once('close', () => {
    held.reject(cannotLock(name));
    ended.resolve();
  });

  const waiting = setTimeout(() => say(`waiting for another process that is at work on ${name}`), QUIET_WAIT_MS);
  await held.promise.finally(() => clearTimeout(waiting));
  return () => {
    holder.stdin.end();
    return ended.promise;
  };
}

function cannotLock(name: string, cause?: Error): Error {
  const why = cause === undefined ? 'flock ended early' : cause.message;
  return new Error(
    `cannot lock "${name}": ${why}\nNext: flock(1) of util-linux must be on the PATH, and ${cacheRoot()} writable`,
    { cause },
  );
}
