/** What is in a database belongs to many: a restore of it into a new one needs them all, and says so before anything is touched. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Login, TargetPlan, TargetRequest } from '../../src/engines/engine.ts';
import type { Major } from '../cluster/postgres-majors.ts';
import { openFor } from '../support/postgres-in-place.ts';
import { withProgramsOfEveryMajor, worldsByMajor } from '../support/postgres-majors.ts';
import { type Archive, dumpOf, loadInto, type PostgresWorld, postgresWorld } from '../support/postgres-world.ts';

let world: PostgresWorld;
let archive: Archive;
/** Has the rights of both owners, and may make databases. */
let restorer: Login;

withProgramsOfEveryMajor();
const worldOf = worldsByMajor(['app', 'clerk']);

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

test('what only a superuser may make is a refusal that names it, and none to a superuser', async () => {
  await asSuperuser('CREATE DATABASE mighty OWNER app');
  await world.sql(
    'mighty',
    'CREATE EXTENSION file_fdw',
    'CREATE EXTENSION hstore',
    `CREATE FUNCTION public.plain() RETURNS text LANGUAGE sql AS $$ SELECT '\n    LANGUAGE c' $$`,
    `CREATE FUNCTION public.same(int) RETURNS int LANGUAGE internal AS 'int4abs'`,
    'CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$',
    'CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION public.watch()',
    'CREATE PUBLICATION everything FOR ALL TABLES',
    'CREATE PUBLICATION nothing',
    'ALTER PUBLICATION nothing OWNER TO app',
    'ALTER FUNCTION public.same(int) OWNER TO app',
    'ALTER FUNCTION public.plain() OWNER TO app',
    'ALTER FUNCTION public.watch() OWNER TO app',
  );
  const mighty = await dumpOf(world, 'mighty');
  const { refusals } = await planned({}, restorer, mighty);
  expect(refusals).toEqual([
    // Its owner is a superuser, and so must be whoever gives it to him.
    expect.objectContaining({
      message: 'role "restorer" has not the rights of "postgres", which owns some of what would be restored',
    }),
    expect.objectContaining({ message: 'only a superuser may make extension "file_fdw" in "shop"' }),
    {
      reason: 'RightMissing',
      message: expect.stringMatching(
        /^only a superuser may make function .*same.*, publication "everything", event trigger "watching" in "shop"$/,
      ),
      hint: 'restore with a superuser',
    },
  ]);
  expect((await planned({}, world.superuser, mighty)).refusals).toEqual([]);
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
    const lend = /GRANT "app" TO "clerk"[^;]*;/;
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

describe('what is in an archive and asks nothing of anybody', () => {
  let odd: Archive;

  beforeAll(async () => {
    await asSuperuser(
      'CREATE ROLE former',
      'CREATE DATABASE odd OWNER former',
      'GRANT CONNECT ON DATABASE odd TO former',
      `COMMENT ON DATABASE odd IS 'of old'`,
    );
    await world.sql(
      'odd',
      'ALTER SCHEMA public OWNER TO app',
      'CREATE SCHEMA hall AUTHORIZATION app',
      'ALTER DEFAULT PRIVILEGES FOR ROLE clerk IN SCHEMA hall GRANT SELECT ON TABLES TO viewer',
      'CREATE TABLE public.of_the_owner AS SELECT 1 AS a',
      'ALTER TABLE public.of_the_owner OWNER TO app',
    );
    odd = await dumpOf(world, 'odd');
    await world.sql('odd', 'REASSIGN OWNED BY former TO app', 'DROP OWNED BY former');
    await asSuperuser('ALTER DATABASE odd OWNER TO app', 'DROP ROLE former');
  });

  const oddly = async (over: Partial<TargetRequest> = {}) => {
    await using target = await openFor(world, 'odd', odd, { onConflict: 'Replace', ...over }, restorer);
    const { refusals } = await target.plan();
    if (refusals.length === 0) await loadInto(target, odd);
    await target.dropScratch();
    return refusals;
  };

  test('are the owner and the privileges of its database, where there is one already, and default privileges in a schema of another', async () => {
    expect(await oddly()).toEqual([]);
  });

  test('are default privileges where they are left out; given to one role, it must be allowed to say them', async () => {
    await asSuperuser('CREATE ROLE single', 'GRANT single TO restorer');
    expect(await oddly({ owner: 'single' })).toEqual([
      {
        reason: 'RightMissing',
        message: expect.stringMatching(/^role "single", that .* may not say what new objects of "clerk" are open to/),
        hint: 'leave them out with target.postgresql.privileges: Skip',
      },
    ]);
    expect(await oddly({ owner: 'single', privileges: 'Skip' })).toEqual([]);
  });

  test('is who owns the table of an extension whose rows are in the dump: the extension makes the table', async () => {
    await asSuperuser('CREATE DATABASE extended OWNER app', 'CREATE ROLE provider');
    await world.sql(
      'extended',
      'CREATE EXTENSION hstore',
      'CREATE TABLE public.known AS SELECT 1 AS a',
      'ALTER TABLE public.known OWNER TO provider',
      'ALTER EXTENSION hstore ADD TABLE public.known',
      // As the script of an extension says it by pg_extension_config_dump.
      `UPDATE pg_extension SET extconfig = ARRAY['public.known'::regclass::oid], extcondition = ARRAY[''] WHERE extname = 'hstore'`,
    );
    const extended = await dumpOf(world, 'extended');
    expect(extended.bytes.includes('COPY public.known')).toBe(true);
    expect((await planned({}, restorer, extended)).refusals).toEqual([]);
  });
});

test('a schema of a superuser lends nobody his rights', async () => {
  await asSuperuser('CREATE DATABASE lent OWNER app');
  await world.sql(
    'lent',
    'CREATE SCHEMA hall',
    'GRANT USAGE, CREATE ON SCHEMA hall TO app',
    'SET ROLE app',
    'CREATE TABLE hall.things (a int)',
  );
  const { refusals } = await planned({}, restorer, await dumpOf(world, 'lent'));
  expect(refusals.map(({ hint }) => hint)).toEqual([
    expect.stringMatching(/membership in one would give away the server/),
    'restore with a superuser',
  ]);
});

describe('a schema public of before 15, which a superuser owned and closed', () => {
  test.each<[string, Major, Major, readonly string[]]>([
    ['comes back on 13', 13, 13, ['app', 'clerk']],
    ['comes back on 17, where who owns the database lets others in', 13, 17, ['app']],
  ])(
    '%s',
    async (_what, from, into, whose) => {
      const source = await worldOf(from);
      await source.sql('postgres', `CREATE DATABASE closed_${into} OWNER app`);
      await source.sql(
        `closed_${into}`,
        'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
        'GRANT CREATE ON SCHEMA public TO app, clerk',
        `COMMENT ON EXTENSION plpgsql IS 'known'`,
        ...whose.flatMap((role) => [
          `SET ROLE ${role}`,
          `CREATE TABLE public.of_${role} AS SELECT 1 AS a`,
          'RESET ROLE',
        ]),
      );
      const closed = await dumpOf(source, `closed_${into}`);
      const target = await worldOf(into);
      const name = `restorer_${into}`;
      const login = await target.role(name, 'CREATEDB');
      await target.sql('postgres', `GRANT app, clerk TO ${name}`);
      const plan = async () => {
        await using opened = await openFor(target, `again_${into}`, closed, { onConflict: 'Fail' }, login);
        const { refusals } = await opened.plan();
        if (refusals.length > 0) return refusals;
        await loadInto(opened, closed);
        await opened.dropScratch();
        return [];
      };
      expect(await plan()).toEqual([]);
    },
    60_000,
  );
});
