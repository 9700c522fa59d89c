import { describe, expect, test } from '@jest/globals';
import { scratchDatabaseName } from '../../src/api/names.ts';
import type { InstanceContents, RoleDescription } from '../../src/archive/contents.ts';
import type { InstanceRequest, InstanceTarget, ServerFacts } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { openInstanceTarget } from '../../src/engines/postgres/instance-target.ts';
import { NO_SEAMS } from '../../src/engines/postgres/target.ts';
import { MAJORS_WITH_PROGRAMS, type Major } from '../cluster/postgres-majors.ts';
import { withProgramsOfEveryMajor, worldsByMajor } from '../support/postgres-majors.ts';
import { aRestore, dumpOf, inTheFuture, PASSWORD, type PostgresWorld } from '../support/postgres-world.ts';

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

async function rolesOf(world: PostgresWorld): Promise<ServerFacts> {
  await using source = await postgres.openInstanceSource(world.serverAccess, world.superuser, world.context);
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

const open = async (
  world: PostgresWorld,
  how?: InstanceRequest['rolesOnConflict'],
  login = world.superuser,
): Promise<InstanceTarget> =>
  postgres.openInstanceTarget(world.serverAccess, login, await requestOf(world, how), world.context);

async function load(target: InstanceTarget): Promise<void> {
  await target.makeRoles();
  for (const { database, properties } of target.databases) await target.database(database).createScratch(properties);
}

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
      await load(target);
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

describe('memberships that several gave', () => {
  const MEMBERS = `SELECT member::regrole::text AS member, grantor::regrole::text AS grantor, admin_option AS admin
    FROM pg_auth_members WHERE roleid = 'guild'::regrole ORDER BY 1, 2`;

  /** Who may give the guild is `boss`, and nobody else. `restorer` has all that a restore asks for. */
  async function guildOf(major: Major): Promise<PostgresWorld> {
    const world = await worldOf(major);
    await world.sql(
      'postgres',
      'DROP DATABASE IF EXISTS shop',
      'CREATE DATABASE shop',
      ...['stranger', 'member', 'keeper', 'deputy', 'boss', 'restorer', 'guild'].map(
        (role) => `DROP ROLE IF EXISTS ${role}`,
      ),
      ...['guild', 'boss', 'deputy', 'keeper', 'member'].map((role) => `CREATE ROLE ${role}`),
      'CREATE ROLE restorer LOGIN CREATEDB CREATEROLE',
      `ALTER ROLE restorer PASSWORD '${PASSWORD}'`,
      'ALTER DATABASE shop OWNER TO restorer',
      'GRANT guild TO boss, restorer WITH ADMIN OPTION',
      'GRANT guild TO keeper',
    );
    archived = await rolesOf(world);
    return world;
  }

  test.each(MAJORS_WITH_PROGRAMS.filter((major) => major >= 15))(
    'become what they were on PostgreSQL %i, whoever gave them',
    async (major) => {
      const world = await guildOf(major);
      const before = await world.sql('postgres', MEMBERS);
      await world.sql(
        'postgres',
        'SET ROLE boss',
        'GRANT guild TO keeper, deputy WITH ADMIN OPTION',
        // Only from 16 on it is one more.
        'SET ROLE deputy',
        'GRANT guild TO member',
        'SET ROLE boss',
        'GRANT guild TO member',
        'RESET ROLE',
        ...(major >= 16 ? ['GRANT guild TO keeper WITH INHERIT FALSE, SET FALSE'] : []),
      );
      const granted = await world.sql('postgres', MEMBERS);
      expect(granted).toHaveLength(major >= 16 ? 7 : 5);
      {
        await using target = await open(world, 'Replace');
        expect((await target.plan()).refusals).toEqual([]);
        expect(await world.sql('postgres', MEMBERS)).toEqual(granted);
        await load(target);
        await target.swap(inTheFuture());
        await target.dropPrevious();
      }
      expect(await rolesOf(world)).toEqual(archived);
      const members = (rows: typeof before) => new Set(rows.map(({ member, admin }) => `${member} ${admin}`));
      expect(members(await world.sql('postgres', MEMBERS))).toEqual(members(before));
    },
    120_000,
  );

  test('are refused by name where one of whom we have not the rights gave them', async () => {
    const world = await guildOf(17);
    const login = { username: 'restorer', password: PASSWORD };
    const refusals = async () => {
      await using target = await open(world, 'Replace', login);
      return (await target.plan()).refusals;
    };
    await world.sql('postgres', 'SET ROLE boss', 'GRANT guild TO member');
    const hint = 'GRANT "boss" TO "restorer" WITH INHERIT TRUE';
    expect(await refusals()).toMatchObject([
      {
        reason: 'RightMissing',
        message:
          'role "restorer" may not take away what "member" has of "guild" beyond the archive: "boss" gave it, whose rights it has not',
        hint: `${hint}; or beforehand: REVOKE "guild" FROM "member" GRANTED BY "boss";`,
      },
    ]);
    await world.sql('postgres', hint);
    expect(await refusals()).toEqual([]);
    await world.sql('postgres', 'REVOKE boss FROM restorer', 'REVOKE guild FROM member GRANTED BY boss');
    expect(await refusals()).toEqual([]);
    await world.sql('postgres', 'GRANT guild TO member');
    expect(await refusals()).toMatchObject([
      {
        reason: 'RightMissing',
        hint: expect.stringMatching(/^as a superuser: REVOKE "guild" FROM "member" GRANTED BY/),
      },
    ]);
  }, 60_000);

  test('are refused by name where somebody whom the archive does not know has them by what would go', async () => {
    const world = await guildOf(17);
    await world.sql(
      'postgres',
      'CREATE ROLE stranger',
      'GRANT guild TO deputy WITH ADMIN OPTION',
      'SET ROLE deputy',
      'GRANT guild TO stranger',
    );
    await using target = await open(world, 'Replace');
    const { refusals } = await target.plan();
    expect(refusals).toMatchObject([
      {
        reason: 'RolesFailed',
        message: expect.stringMatching(/"deputy" may not make others members of "guild".* "stranger"/),
        hint: expect.stringMatching(/^REVOKE "guild" FROM "stranger" GRANTED BY "deputy";/),
      },
    ]);
    for (const statement of refusals[0]?.hint?.split('; and, where it is to stay a member, ') ?? [])
      await world.sql('postgres', statement);
    expect((await target.plan()).refusals).toEqual([]);
    await load(target);
    await target.swap(inTheFuture());
    await target.dropPrevious();
    expect(await world.sql('postgres', MEMBERS)).toContainEqual(expect.objectContaining({ member: 'stranger' }));
    expect(await world.sql('postgres', MEMBERS)).not.toContainEqual(expect.objectContaining({ member: 'deputy' }));
  }, 60_000);

  test('that somebody gives while the databases go live stop the swap', async () => {
    const world = await guildOf(17);
    let given = false;
    const before = async (statement: string) => {
      if (given || !statement.startsWith('COMMENT ON DATABASE')) return;
      given = true;
      await world.sql('postgres', 'SET ROLE boss', 'GRANT guild TO member');
    };
    const request = await requestOf(world, 'Replace');
    const seams = { ...NO_SEAMS, before };
    await using target = await openInstanceTarget(world.serverAccess, world.superuser, request, world.context, seams);
    expect((await target.plan()).refusals).toEqual([]);
    await load(target);
    await world.sql('shop', 'CREATE TABLE still ()');
    await expect(target.swap(inTheFuture())).rejects.toMatchObject({
      reason: 'RolesFailed',
      message: expect.stringContaining('"member" is a member of "guild", by "boss"'),
    });
    expect(await world.sql('shop', 'TABLE still')).toEqual([]);
    expect(given).toBe(true);
  }, 60_000);
});
