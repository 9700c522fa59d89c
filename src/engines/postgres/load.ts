import { HoldfastError } from '../../lib/errors.ts';
import type { WritingProgram } from '../engine.ts';
import { connectionString, type Libpq } from './libpq.ts';
import { writingProgram } from './programs.ts';
import type { Tools } from './tools.ts';

export interface LoadJob {
  readonly database: string;
  readonly tools: Tools;
  readonly libpq: Libpq;
  readonly signal: AbortSignal;
}

/**
 * Not in one transaction: the database is thrown away if anything fails, and a transaction would hold a lock for every
 * object. The first error ends it.
 */
export function load(job: LoadJob): WritingProgram {
  return writingProgram({
    command: job.tools.pgRestore,
    args: [
      '--format=custom',
      '--exit-on-error',
      '--no-password',
      // Rows are loaded before row security is on. A materialized view over such a table is filled after, as its owner,
      // who sees what the policies let him see, as always; without this it would be an error.
      '--enable-row-security',
      `--dbname=${connectionString(job.database)}`,
    ],
    env: job.libpq.env,
    signal: job.signal,
    explain: (problem, exit) =>
      new HoldfastError('LoadFailed', `the archive could not be loaded: ${problem}`, hintFor(exit.stderr)),
  });
}

function hintFor(stderr: string): { hint?: string } {
  const role = /role "(.+)" does not exist/.exec(stderr)?.[1];
  if (role !== undefined)
    return { hint: `make the role on the target server, then a new Restore: CREATE ROLE "${role}";` };
  if (/permission denied to create extension/.test(stderr)) {
    return { hint: 'this extension needs a superuser: restore with such a role' };
  }
  if (/extension ".+" is not available|could not open extension control file/.test(stderr)) {
    return { hint: "install the extension's package on the target server" };
  }
  // Noted by servers since November 2026; an older pg_dump takes it for a setting of the column.
  if (/unrecognized parameter "pg_attver"/.test(stderr)) {
    return {
      hint: 'the archive was dumped by a pg_dump older than its server: restore to a server of November 2026 or newer (15.20, 17.12), and use a newer image of Holdfast',
    };
  }
  const owner = /must be (?:member of|able to SET ROLE) (?:role )?"(.+)"/.exec(stderr)?.[1];
  if (owner !== undefined) return { hint: `grant the restoring role membership: GRANT "${owner}" TO …;` };
  return {};
}
