import { expect, test } from '@jest/globals';
import { scratchDatabaseName } from '../../src/api/names.ts';
import type { InstanceContents, RoleDescription } from '../../src/archive/contents.ts';
import type { InstanceRequest, InstanceTarget, ServerFacts } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { MAJORS_WITH_PROGRAMS } from '../cluster/postgres-majors.ts';
import { withProgramsOfEveryMajor, worldsByMajor } from '../support/postgres-majors.ts';
import { aRestore, dumpOf, inTheFuture, type PostgresWorld } from '../support/postgres-world.ts';

/** Before 16 a membership has one option, since then three. */
const MAJORS = MAJORS_WITH_PROGRAMS.filter((major) => [15, 17].includes(major));

withProgramsOfEveryMajor();
const worldOf = worldsByMajor();

const ROLES = [
  'CREATE ROLE team NOLOGIN',
  `CREATE ROLE "it's me" LOGIN CREATEDB CONNECTION LIMIT 7 PASSWORD 'as it was' VALID UNTIL '2040-01-01 00:00:00+00'`,
  `ALTER ROLE "it's me" SET search_path = "$user", 'Odd, one'`,
  `COMMENT ON ROLE "it's me" IS 'mine'`,
  `GRANT team TO "it's me" WITH ADMIN OPTION`,
  'CREATE ROLE other',
];

const CHANGED = [
  `ALTER ROLE "it's me" NOLOGIN NOCREATEDB REPLICATION CONNECTION LIMIT -1 PASSWORD 'another' VALID UNTIL 'infinity'`,
  `ALTER ROLE "it's me" RESET ALL`,
  `ALTER ROLE "it's me" SET work_mem = '7MB'`,
  `COMMENT ON ROLE "it's me" IS NULL`,
  `REVOKE ADMIN OPTION FOR team FROM "it's me"`,
  `GRANT other TO "it's me"`,
];

const LIMIT = `SELECT rolconnlimit FROM pg_roles WHERE rolname = 'it''s me'`;

let archived: ServerFacts;

const serverOf = (world: PostgresWorld) => {
  const { database: _, ...server } = world.access('');
  return server;
};

async function rolesOf(world: PostgresWorld): Promise<ServerFacts> {
  await using source = await postgres.openInstanceSource(serverOf(world), world.superuser, world.context);
  const { roles, memberships, tablespaces } = await source.describe();
  return { roles, memberships, tablespaces };
}

async function requestOf(
  world: PostgresWorld,
  rolesOnConflict: InstanceRequest['rolesOnConflict'],
): Promise<InstanceRequest> {
  const { properties } = await dumpOf(world, 'shop');
  const parts = [] as unknown as InstanceContents['databases'][number]['parts'];
  const run = aRestore();
  const globals = {
    part: 1,
    tool: 'pg_dumpall',
    format: 'sql' as const,
    plain: { size: 0, sha256: '' },
    rolePasswords: true,
  };
  const contents: InstanceContents = {
    ...{ formatVersion: 1, scope: 'Instance', skipped: [], recipe: [], globals },
    databases: [{ database: 'shop', properties, tables: [], parts }],
    roles: [...archived.roles],
    memberships: [...archived.memberships],
    tablespaces: [],
  };
  return {
    ...{ run, contents, onConflict: 'Replace', sourceMajor: world.server.major },
    scratchDatabase: scratchDatabaseName(run),
    ...(rolesOnConflict === undefined ? {} : { rolesOnConflict }),
  };
}

const open = async (world: PostgresWorld, how?: InstanceRequest['rolesOnConflict']): Promise<InstanceTarget> =>
  postgres.openInstanceTarget(serverOf(world), world.superuser, await requestOf(world, how), world.context);

const me = ({ roles }: ServerFacts): RoleDescription | undefined => roles.find(({ name }) => name === "it's me");

test.each(MAJORS)(
  'roles of PostgreSQL %i that are there stay, are in the way, or become what they were',
  async (major) => {
    const world = await worldOf(major);
    await world.sql('postgres', ...ROLES, 'CREATE DATABASE shop');
    archived = await rolesOf(world);
    expect(me(archived)).toMatchObject({ connectionLimit: 7, password: expect.stringMatching(/^SCRAM-SHA-256/) });
    await world.sql('postgres', ...CHANGED);
    const changed = await rolesOf(world);

    {
      await using target = await open(world, 'Fail');
      expect((await target.plan()).refusals).toMatchObject([
        { reason: 'RolesExist', message: expect.stringContaining(`"it's me", "other", "team"`) },
      ]);
    }
    for (const how of [undefined, 'Replace'] as const) {
      await using target = await open(world, how);
      const { refusals, notes } = await target.plan();
      expect(refusals).toEqual([]);
      expect(notes.join(' ')).toContain(
        how === 'Replace' ? 'become what they are in the archive: "it\'s me"' : 'stay as they are: "it\'s me"',
      );
      await target.makeRoles();
      for (const { database, properties } of target.databases)
        await target.database(database).createScratch(properties);
      // Nothing of a role changes before the databases go live.
      expect(await world.sql('postgres', LIMIT)).toEqual([{ rolconnlimit: -1 }]);
      await target.swap(inTheFuture());
      await target.dropPrevious();
      await target[Symbol.asyncDispose]();
      expect(await rolesOf(world)).toEqual(how === 'Replace' ? archived : changed);
    }
  },
  120_000,
);
