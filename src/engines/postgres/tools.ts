import { access, constants, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../lib/errors.ts';
import { exitProblem, run } from '../../platform/subprocess.ts';

/** Where Debian's packages, and so our image, keep each major version's programs. */
const ROOT = '/usr/lib/postgresql';

/** The programs of one major version of PostgreSQL. */
export interface Tools {
  readonly pgDump: string;
  readonly pgRestore: string;
  /** Such as `pg_dump 17.6`. */
  readonly version: string;
}

/** The programs of the server's own major version: an older pg_dump refuses, a newer one may write what this server cannot load. */
export async function findTools(major: number, root = process.env['HOLDFAST_POSTGRESQL_ROOT'] ?? ROOT): Promise<Tools> {
  const folder = join(root, String(major), 'bin');
  const tools = { pgDump: join(folder, 'pg_dump'), pgRestore: join(folder, 'pg_restore') };
  if (!(await isProgram(tools.pgDump)) || !(await isProgram(tools.pgRestore))) throw await noTools(major, root);
  return { ...tools, version: await versionOf(tools.pgDump) };
}

/** The program that writes down roles and tablespaces, a neighbour of those that dump; `version` such as `pg_dumpall 17.6`. */
export async function findDumpAll(tools: Tools): Promise<{ readonly path: string; readonly version: string }> {
  const path = join(dirname(tools.pgDump), 'pg_dumpall');
  if (await isProgram(path)) return { path, version: await versionOf(path) };
  throw new HoldfastError('VersionUnsupported', `this image has no ${path}, which scope Instance needs`, {
    hint: 'use an image of Holdfast that was built with it',
  });
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function noTools(major: number, root: string): Promise<HoldfastError> {
  const entries = await readdir(root).catch(() => []);
  const installed = entries.filter((entry) => /^\d+$/.test(entry)).sort((a, b) => Number(a) - Number(b));
  return new HoldfastError(
    'VersionUnsupported',
    `the server is PostgreSQL ${major}, and this image has the programs of ${installed.join(', ') || 'no version'} only`,
    { hint: `use an image of Holdfast that was built with ${major} in PG_MAJORS` },
  );
}

async function versionOf(program: string): Promise<string> {
  const exit = await run({ command: program, args: ['--version'] });
  const problem = exitProblem(exit);
  const match = /^(\S+) \(PostgreSQL\) (\S+)/.exec(exit.stdout);
  if (problem !== undefined || match === null) {
    throw new HoldfastError('VersionUnsupported', `${program} does not run: ${problem ?? exit.stdout.trim()}`);
  }
  return `${match[1]} ${match[2]}`;
}
