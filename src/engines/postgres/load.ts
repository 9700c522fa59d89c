import type { RestoreChoices } from '../../api/choices.ts';
import { HoldfastError } from '../../lib/errors.ts';
import type { ReadingProgram, WritingProgram } from '../engine.ts';
import { DISK_FULL, isDiskFull } from './disk.ts';
import { connectionString, type Libpq } from './libpq.ts';
import { type ProgramJob, readingProgram, writingProgram } from './programs.ts';
import type { Tools } from './tools.ts';

export interface LoadJob {
  readonly database: string;
  readonly tools: Tools;
  readonly libpq: Libpq;
  readonly signal: AbortSignal;
  /** Absent: owners and privileges as in the archive. */
  readonly choices?: Pick<RestoreChoices, 'owner' | 'privileges'>;
  /** Absent: all of them. */
  readonly sections?: readonly ('pre-data' | 'data' | 'post-data')[];
  /** All of it, or nothing: for a database that is not thrown away after a failure. */
  readonly inOneTransaction?: boolean;
  /** What the caller makes of the program's last words. */
  explain?(stderr: string): HoldfastError | undefined;
}

/** Extensions that are not trusted, event triggers, functions in C, publications of all tables and the like. */
const NEEDS_MORE = /permission denied (?:to|for)|must be (?:superuser|owner|able to SET ROLE|member of)/;

/**
 * Not in one transaction: the database is thrown away if anything fails, and a transaction would hold a lock for every
 * object. The first error ends it.
 */
export function load(job: LoadJob): WritingProgram {
  return writingProgram(restoring(job));
}

/** A dump that is a file, by several connections. It says nothing on its output. */
export function loadFile(job: LoadJob, file: string, connections: number): Omit<ReadingProgram, 'output'> {
  const { args, ...how } = restoring(job);
  const { output, ...program } = readingProgram({ ...how, args: [`--jobs=${connections}`, ...args, file] });
  output.resume();
  return program;
}

function restoring(job: LoadJob): ProgramJob {
  return {
    command: job.tools.pgRestore,
    args: [
      '--format=custom',
      '--exit-on-error',
      '--no-password',
      ...(job.sections ?? []).map((section) => `--section=${section}`),
      ...(job.inOneTransaction === true ? ['--single-transaction'] : []),
      // Rows are loaded before row security is on. A materialized view over such a table is filled after, as its owner,
      // who sees what the policies let him see, as always; without this it would be an error.
      '--enable-row-security',
      ...choiceOptions(job.choices ?? {}),
      `--dbname=${connectionString(job.database)}`,
    ],
    env: job.libpq.env,
    signal: job.signal,
    explain: (problem, exit) =>
      job.explain?.(exit.stderr) ??
      new HoldfastError(
        'LoadFailed',
        `the archive could not be loaded: ${problem}`,
        hintFor(exit.stderr, job.choices?.owner),
      ),
  };
}

/** A role's name stands behind an `=`, so that it is a name whatever is in it. */
function choiceOptions({ owner, privileges }: NonNullable<LoadJob['choices']>): readonly string[] {
  return [
    ...(owner === undefined ? [] : ['--no-owner', `--role=${owner}`]),
    ...(privileges === 'Skip' ? ['--no-privileges'] : []),
  ];
}

function hintFor(stderr: string, loader: string | undefined): { hint?: string } {
  if (loader !== undefined && NEEDS_MORE.test(stderr)) {
    return {
      hint: `the archive holds something that only a superuser may make, and role "${loader}" loads it, because target.postgresql.ownership names that role: leave it out with include or exclude, or, where the archive is trusted, restore with ownership Preserve`,
    };
  }
  if (isDiskFull(stderr)) return { hint: DISK_FULL };
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
