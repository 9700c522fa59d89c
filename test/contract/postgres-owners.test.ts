/** What is in a database belongs to many: a restore of it into a new one needs them all, and says so before anything is touched. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Login, TargetPlan, TargetRequest } from '../../src/engines/engine.ts';
import { openFor } from '../support/postgres-in-place.ts';
import { type Archive, dumpOf, loadInto, type PostgresWorld, postgresWorld } from '../support/postgres-world.ts';

let world: PostgresWorld;
let archive: Archive;
/** Has the rights of both owners, and may make databases. */
let restorer: Login;

const ROLES = ['app', 'clerk', 'heir', 'viewer'];

beforeAll(async () => {
  world = await postgresWorld();
  for (const name of ROLES) await world.role(name);
  restorer = await world.role('restorer', 'CREATEDB');
  await world.sql('postgres', 'GRANT app, clerk TO restorer', 'CREATE DATABASE shop OWNER app');
  await world.sql(
    'shop',
    'CREATE SCHEMA desk AUTHORIZATION clerk',
    'SET ROLE clerk',
    'CREATE TABLE desk.letters (id serial PRIMARY KEY, word text)',
    `INSERT INTO desk.letters (word) VALUES ('a'), ('b')`,
    'GRANT SELECT ON desk.letters TO heir',
    'ALTER TABLE desk.letters ENABLE ROW LEVEL SECURITY',
    'CREATE POLICY everything ON desk.letters FOR SELECT TO viewer USING (true)',
    'SET ROLE app',
    'CREATE TABLE public.orders AS SELECT 1 AS a',
  );
  archive = await dumpOf(world, 'shop');
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const planned = async (over: Partial<TargetRequest> = {}, login = restorer, of = archive): Promise<TargetPlan> => {
  await using target = await openFor(world, 'shop', of, { onConflict: 'Replace', ...over }, login);
  return await target.plan();
};

/** What comes of the load, whatever the plan says. */
async function load(of = archive): Promise<unknown> {
  await using target = await openFor(world, 'shop', of, { onConflict: 'Replace' }, restorer);
  try {
    return await loadInto(target, of).catch((caught: unknown) => caught);
  } finally {
    await target.dropScratch();
  }
}

const asSuperuser = (...statements: readonly string[]) => world.sql('postgres', ...statements);

test('with the rights of all owners nothing is refused, and it loads', async () => {
  const plan = await planned();
  expect(plan.refusals).toEqual([]);
  expect(plan.notes).toBeUndefined();
  expect(await load()).toBeUndefined();
});

interface Missing {
  readonly what: string;
  readonly taken: readonly string[];
  readonly refusal: object;
  /** Back to how it was, beyond what the hint did. */
  readonly after?: readonly string[];
}

const MISSING: readonly Missing[] = [
  {
    what: 'membership in who owns some of it',
    taken: ['REVOKE clerk FROM restorer'],
    refusal: {
      reason: 'RightMissing',
      message: 'role "restorer" has not the rights of "clerk", which owns some of what would be restored',
      hint: expect.stringMatching(/^GRANT "clerk" TO "restorer"/),
    },
  },
  {
    what: 'a role that a privilege names',
    taken: ['DROP OWNED BY heir', 'DROP ROLE heir'],
    refusal: {
      reason: 'RoleMissing',
      message:
        'role "heir" is named by a privilege, a policy or a user mapping of the archive, and does not exist on this server',
      hint: 'CREATE ROLE "heir";',
    },
  },
  {
    what: 'a role that a policy names',
    taken: ['DROP OWNED BY viewer', 'DROP ROLE viewer'],
    refusal: { reason: 'RoleMissing', hint: 'CREATE ROLE "viewer";' },
  },
];

describe('what is missing is a refusal before the load fails for it, and its statement helps', () => {
  test.each(MISSING.map(({ what }) => what))('%s', async (name) => {
    const { taken, refusal } = MISSING.find(({ what }) => what === name)!;
    await world.sql('shop', ...taken);
    const { refusals } = await planned();
    expect(refusals).toEqual([expect.objectContaining(refusal)]);
    expect(await load()).toMatchObject({ reason: 'LoadFailed' });
    await asSuperuser(refusals[0]?.hint ?? '');
    expect((await planned()).refusals).toEqual([]);
    expect(await load()).toBeUndefined();
  });

  test('but not where privileges are left out', async () => {
    await world.sql('shop', 'DROP OWNED BY heir, viewer', 'DROP ROLE heir, viewer');
    expect((await planned({ privileges: 'Skip' })).refusals).toEqual([
      expect.objectContaining({ message: expect.stringContaining('"viewer"') }),
    ]);
    await asSuperuser('CREATE ROLE heir', 'CREATE ROLE viewer');
  });
});

describe('something in a schema of another, who let its owner make it there', () => {
  let mixed: Archive;

  beforeAll(async () => {
    await asSuperuser('CREATE DATABASE mixed OWNER app');
    await world.sql(
      'mixed',
      'SET ROLE app',
      'CREATE SCHEMA hall',
      'GRANT CREATE, USAGE ON SCHEMA hall, public TO clerk',
      'SET ROLE clerk',
      'CREATE TABLE hall.things AS SELECT 1 AS a',
      'CREATE TABLE public.others AS SELECT 1 AS a',
    );
    mixed = await dumpOf(world, 'mixed');
  });

  test('is a refusal, since privileges come last; what the hint lends is enough', async () => {
    const { refusals } = await planned({}, restorer, mixed);
    const lend = /GRANT "app" TO "clerk";/;
    expect(refusals).toEqual([
      {
        reason: 'RightMissing',
        message: expect.stringContaining(
          'role "clerk", which is to own table "hall"."things", may not have anything in schema "hall" of "app"',
        ),
        hint: expect.stringMatching(lend),
      },
      expect.objectContaining({ message: expect.stringContaining('in schema "public" of "app"') }),
    ]);
    expect(await load(mixed)).toMatchObject({ reason: 'LoadFailed' });
    await asSuperuser(lend.exec(refusals[0]?.hint ?? '')?.[0] ?? '');
    expect((await planned({}, restorer, mixed)).refusals).toEqual([]);
    expect(await load(mixed)).toBeUndefined();
    await asSuperuser('REVOKE app FROM clerk');
  });

  test('does not matter to a superuser, nor where all is given to one role', async () => {
    expect((await planned({}, world.superuser, mixed)).refusals).toEqual([]);
    await asSuperuser('CREATE ROLE plain');
    await asSuperuser('GRANT plain TO restorer');
    expect((await planned({ owner: 'plain' }, restorer, mixed)).refusals).toEqual([]);
  });
});
