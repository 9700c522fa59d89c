import { Writable } from 'node:stream';
import { HoldfastError } from '../../lib/errors.ts';
import type { ReadingProgram, WritingProgram } from '../engine.ts';
import { connectionString, type Libpq } from './libpq.ts';
import { readingProgram } from './programs.ts';

/** Roles, memberships, their settings and tablespaces as SQL, by PostgreSQL's own program. */
export function dumpGlobals(job: {
  readonly program: string;
  readonly maintenanceDatabase: string;
  readonly passwords: boolean;
  readonly libpq: Libpq;
  readonly signal: AbortSignal;
}): ReadingProgram {
  return readingProgram({
    command: job.program,
    args: [
      '--globals-only',
      '--no-password',
      ...(job.passwords ? [] : ['--no-role-passwords']),
      `--database=${connectionString(job.maintenanceDatabase)}`,
    ],
    env: job.libpq.env,
    signal: job.signal,
    explain: (problem) => new HoldfastError('DumpFailed', problem),
  });
}

/** The last line but one that pg_dumpall writes. */
const TRAILER = '-- PostgreSQL database cluster dump complete';

/** Longer than the trailer and the blank lines and comment marks (and, since 2025, the \unrestrict) around it. */
const TAIL_BYTES = 512;

/** SQL has no program that reads it without running it: that it is whole is told by its last words. */
export function readGlobalsToEnd(): WritingProgram {
  let tail = Buffer.alloc(0);
  const input = new Writable({
    write(chunk: Buffer, _encoding, done) {
      tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
      done();
    },
  });
  const done = new Promise<void>((resolve, reject) => {
    input.once('finish', () => (tail.includes(TRAILER) ? resolve() : reject(cut())));
    input.once('error', reject);
    input.once('close', () => reject(cut()));
  });
  done.catch(() => {});
  return { input, done, kill: () => input.destroy() };
}

function cut(): HoldfastError {
  return new HoldfastError('DumpUnreadable', 'the SQL of roles and tablespaces ends before its last line');
}
