/** Several major versions of PostgreSQL in one test file: their programs, and a server of each. */
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { localPostgresOfMajor, type Major, postgresPrograms } from '../cluster/postgres-majors.ts';
import { tempDir } from '../cluster/temp-dir.ts';
import { type PostgresWorld, postgresWorld } from './postgres-world.ts';

/** Where the engine looks for the programs of every version. */
export const PROGRAMS_FOLDER = 'HOLDFAST_POSTGRESQL_ROOT';

/** While the tests of this file run, the engine in their process finds the programs of every version. */
export function withProgramsOfEveryMajor(): void {
  const former = process.env[PROGRAMS_FOLDER];
  beforeAll(async () => {
    process.env[PROGRAMS_FOLDER] = await postgresPrograms();
  }, 180_000);
  afterAll(() => {
    if (former === undefined) delete process.env[PROGRAMS_FOLDER];
    else process.env[PROGRAMS_FOLDER] = former;
  });
}

/**
 * A folder in which the programs of 15 stand in for those of 14, which no package carries: so that what we ourselves ask of
 * a server of 14 meets one. It proves nothing about pg_dump 14. For the caller to remove.
 */
export async function standInFor14(): Promise<string> {
  const folder = await tempDir('programs-of-14');
  await symlink(join(await postgresPrograms(), '15'), join(folder, '14'));
  return folder;
}

/** A server of this version, with these roles. */
export async function worldOfMajor(major: Major, roles: readonly string[] = []): Promise<PostgresWorld> {
  const world = await postgresWorld({}, (options) => localPostgresOfMajor(major, options));
  for (const role of roles) await world.role(role);
  return world;
}

/** One server of each version for all tests of this file, started when it is first asked for. */
export function worldsByMajor(roles: readonly string[] = []): (major: Major) => Promise<PostgresWorld> {
  const worlds = new Map<Major, Promise<PostgresWorld>>();
  afterAll(async () => {
    for (const world of worlds.values()) await (await world)[Symbol.asyncDispose]();
  });
  return (major) => {
    const world = worlds.get(major) ?? worldOfMajor(major, roles);
    worlds.set(major, world);
    return world;
  };
}
