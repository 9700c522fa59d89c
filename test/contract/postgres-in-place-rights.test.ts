import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Login, TargetRequest } from '../../src/engines/engine.ts';
import { MAJORS_WITH_PROGRAMS } from '../cluster/postgres-majors.ts';
import { addInto, openFor } from '../support/postgres-in-place.ts';
import { withProgramsOfEveryMajor, worldOfMajor } from '../support/postgres-majors.ts';
import { type Archive, dumpOf, type PostgresWorld } from '../support/postgres-world.ts';

/** Before 16 a membership has one option, since then three. */
const MAJORS = MAJORS_WITH_PROGRAMS.filter((major) => [15, 17].includes(major));

withProgramsOfEveryMajor();

const DATABASE = 'shop';

/** `app` owns the database and schema `desk`, in which `clerk` has a table. */
const SHOP = [
  'SET ROLE app',
  'CREATE SCHEMA desk',
  'GRANT USAGE, CREATE ON SCHEMA desk TO clerk',
  'CREATE TABLE desk.items (id int PRIMARY KEY, what text)',
  `INSERT INTO desk.items VALUES (1, 'pen'), (2, 'ink')`,
  'CREATE TABLE desk.days (day int) PARTITION BY RANGE (day)',
  'CREATE TABLE desk.days_1 PARTITION OF desk.days FOR VALUES FROM (1) TO (10)',
  'INSERT INTO desk.days VALUES (3)',
  'GRANT REFERENCES ON desk.items TO clerk',
  'CREATE SCHEMA later',
  'CREATE TABLE later.things AS SELECT 1 AS a',
  'ALTER DEFAULT PRIVILEGES IN SCHEMA later GRANT SELECT ON TABLES TO heir',
  'CREATE EXTENSION citext',
  'SET ROLE clerk',
  'CREATE TABLE desk.letters (id serial PRIMARY KEY, item int REFERENCES desk.items)',
  'INSERT INTO desk.letters (item) VALUES (1), (2), (2)',
  'CREATE INDEX by_item ON desk.letters (item)',
  'GRANT SELECT ON desk.letters TO "the reader"',
  'ALTER TABLE desk.letters ENABLE ROW LEVEL SECURITY',
  'CREATE POLICY everything ON desk.letters FOR SELECT TO "the reader", viewer USING (true)',
];

const TAKEN = [
  'DROP TABLE desk.letters, desk.days_1',
  'SET ROLE app',
  'ALTER DEFAULT PRIVILEGES IN SCHEMA later REVOKE SELECT ON TABLES FROM heir',
  'DROP SCHEMA later CASCADE',
  'DROP EXTENSION citext',
];

const ROLES = ['app', 'clerk', 'the reader', 'viewer', 'heir', 'stranger'];

interface MissingRight {
  readonly right: string;
  readonly taken: readonly string[];
  /** Of each refusal: what it says, and the statement that helps. */
  readonly said: readonly (readonly [message: string, statement: string])[];
  readonly request?: Partial<TargetRequest>;
}

const rightsOf = (major: number): readonly MissingRight[] => {
  const joins = (role: string) =>
    major >= 16 ? `GRANT "${role}" TO "adder" WITH INHERIT TRUE, SET TRUE;` : `GRANT "${role}" TO "adder";`;
  const replacing = (name: string): Partial<TargetRequest> => ({
    onConflict: 'Replace',
    selection: { include: { tables: [{ schema: 'desk', name }] } },
  });
  return [
    {
      right: 'membership in who will own some of it',
      taken: ['REVOKE clerk FROM adder'],
      said: [['role "adder" has not the rights of "clerk", which owns some of what would be added', joins('clerk')]],
    },
    ...(major < 16
      ? []
      : ['INHERIT', 'SET'].map((option) => ({
          right: `${option} of that membership`,
          taken: [`GRANT clerk TO adder WITH ${option} FALSE`],
          said: [['"clerk", which owns some of what would be added', joins('clerk')] as const],
        }))),
    {
      right: 'CREATE on a schema that is there',
      taken: ['REVOKE CREATE ON SCHEMA desk FROM app, clerk'],
      said: [
        [
          'role "adder" may not make table "desk"."days_1" in schema "desk", which is there already',
          'in that database: GRANT USAGE, CREATE ON SCHEMA "desk" TO "adder";',
        ],
        [
          'role "app", which is to own table "desk"."days_1", may not have anything new in schema "desk"',
          'in that database: GRANT CREATE ON SCHEMA "desk" TO "app";',
        ],
        [
          'role "clerk", which is to own table "desk"."letters", may not have anything new in schema "desk"',
          'in that database: GRANT CREATE ON SCHEMA "desk" TO "clerk";',
        ],
      ],
    },
    {
      right: 'USAGE of a schema that is there',
      taken: ['REVOKE USAGE ON SCHEMA desk FROM app, clerk'],
      said: [['role "adder" may not read schema "desk"', 'GRANT pg_read_all_data TO "adder";']],
    },
    {
      right: 'SELECT on a table that is there',
      taken: ['ALTER TABLE desk.items OWNER TO stranger'],
      said: [['role "adder" may not read table "desk"."items"', 'GRANT pg_read_all_data TO "adder";']],
    },
    {
      right: 'CREATE on a schema for who will own something in it',
      taken: ['REVOKE CREATE ON SCHEMA desk FROM clerk'],
      said: [['role "clerk", which is to own', 'in that database: GRANT CREATE ON SCHEMA "desk" TO "clerk";']],
    },
    {
      right: 'CREATE on the database',
      taken: ['REVOKE CREATE ON DATABASE shop FROM app'],
      said: [
        [
          'role "adder" may not make schema "later", extension "citext" in "shop"',
          'GRANT CREATE ON DATABASE "shop" TO "adder";',
        ],
      ],
    },
    {
      right: 'REFERENCES on a table that stays',
      taken: [
        'ALTER TABLE desk.items OWNER TO stranger',
        'GRANT SELECT ON desk.items TO adder',
        'REVOKE REFERENCES ON desk.items FROM clerk',
      ],
      said: [
        [
          'role "adder" may not make foreign keys to "desk"."items", which stays',
          'in that database: GRANT REFERENCES ON "desk"."items" TO "adder";',
        ],
      ],
    },
    {
      right: 'membership in who owns what would be replaced',
      taken: ['ALTER TABLE desk.items OWNER TO stranger', 'GRANT SELECT ON desk.items TO adder'],
      said: [['"stranger", which owns what would be replaced', joins('stranger')]],
      request: replacing('items'),
    },
    {
      right: 'membership in who owns the table of a partition',
      taken: ['ALTER TABLE desk.days OWNER TO stranger', 'GRANT SELECT ON desk.days TO adder'],
      said: [['"stranger", which owns what would get a partition', joins('stranger')]],
    },
  ];
};

describe.each(MAJORS)('what joins a live database of PostgreSQL %i', (major) => {
  let world: PostgresWorld;
  let archive: Archive;
  let adder: Login;

  const sql = (...statements: readonly string[]) => world.sql(DATABASE, ...statements);

  beforeAll(async () => {
    world = await worldOfMajor(major, ROLES);
    adder = await world.role('adder');
    await fresh();
    archive = await dumpOf(world, DATABASE);
  }, 120_000);
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  async function fresh(): Promise<void> {
    await world.sql(
      'postgres',
      `DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`,
      'DROP ROLE adder',
      `CREATE DATABASE ${DATABASE} OWNER app`,
    );
    adder = await world.role('adder');
    await sql(...SHOP);
    await world.sql('postgres', 'GRANT app, clerk TO adder');
  }

  beforeEach(async () => {
    await fresh();
    await sql(...TAKEN);
  });

  const refusals = async (over: Partial<TargetRequest> = {}, of = archive) => {
    await using target = await openFor(world, DATABASE, of, over, adder);
    return (await target.plan()).refusals;
  };

  test('is made by a role that has its owners for itself, as it was', async () => {
    await fresh();
    const before = await world.print(DATABASE);
    await sql(...TAKEN);
    expect(await refusals()).toEqual([]);
    await addInto(world, DATABASE, archive, {}, undefined, adder);
    expect(await world.print(DATABASE)).toEqual(before);
  });

  test.each(rightsOf(major))(
    'is refused without $right, and the statement helps',
    async ({ taken, said, request = {} }) => {
      await sql(...taken);
      expect(await refusals(request)).toEqual(
        said.map(([message, hint]) => ({ reason: 'RightMissing', message: expect.stringContaining(message), hint })),
      );
      for (const [, hint] of said) await sql(hint.replace('in that database: ', ''));
      await addInto(world, DATABASE, archive, request, undefined, adder);
    },
  );

  test.each([
    ['clerk', 'owns some of what would be added'],
    ['the reader', 'is named by a privilege, a policy or a user mapping of the archive'],
    ['viewer', 'is named by a privilege, a policy or a user mapping of the archive'],
    ['heir', 'is named by a privilege, a policy or a user mapping of the archive'],
  ])('is refused where role "%s" is not there', async (role, what) => {
    await world.sql('postgres', `ALTER ROLE "${role}" RENAME TO another`);
    try {
      expect(await refusals()).toEqual([
        {
          reason: 'RoleMissing',
          message: `role "${role}" ${what}, and does not exist on this server`,
          hint: `CREATE ROLE "${role}";`,
        },
      ]);
      const isPrivilege = role === 'heir';
      expect(await refusals({ privileges: 'Skip' })).toHaveLength(isPrivilege ? 0 : 1);
    } finally {
      await world.sql('postgres', `ALTER ROLE another RENAME TO "${role}"`);
    }
  });

  test('is refused where only a superuser may make it', async () => {
    await fresh();
    await sql(
      'CREATE EXTENSION file_fdw',
      'CREATE TABLE kept (a int)',
      'GRANT USAGE ON SCHEMA desk TO stranger',
      'SET ROLE clerk',
      'GRANT SELECT ON desk.letters TO stranger WITH GRANT OPTION',
      'SET ROLE stranger',
      'GRANT SELECT ON desk.letters TO viewer',
    );
    const whole = await dumpOf(world, DATABASE);
    await sql('DROP EXTENSION file_fdw', 'DROP TABLE kept, desk.letters');
    expect(await refusals({}, whole)).toEqual([
      {
        reason: 'RightMissing',
        message: `role "adder" has not the rights of "postgres", which owns some of what would be added`,
        hint: expect.stringContaining('restore with a superuser'),
      },
      {
        reason: 'RightMissing',
        message: 'only a superuser may make extension "file_fdw" in "shop"',
        hint: 'in that database, as a superuser: CREATE EXTENSION "file_fdw"; or restore with one',
      },
      {
        reason: 'RightMissing',
        message: expect.stringContaining('were given by "stranger", which does not own what they are for'),
        hint: expect.stringContaining('target.postgresql.privileges: Skip'),
      },
    ]);
    await world.sql('postgres', 'CREATE DATABASE rdsadmin');
    try {
      // A managed server, whose administrator may make more than the server tells.
      expect((await refusals({}, whole)).filter(({ message }) => message.includes('file_fdw'))).toEqual([]);
    } finally {
      await world.sql('postgres', 'DROP DATABASE rdsadmin');
    }
    await addInto(world, DATABASE, whole);
  });
});
