import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Login } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { MAJORS_WITH_PROGRAMS } from '../cluster/postgres-majors.ts';
import { documentedSql } from '../support/documented-sql.ts';
import { anExampleDatabase } from '../support/postgres-example.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import { withProgramsOfEveryMajor, worldOfMajor } from '../support/postgres-majors.ts';
import {
  type Archive,
  dumpOf,
  inTheFuture,
  loadInto,
  PASSWORD,
  type PostgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

withProgramsOfEveryMajor();

const dumper: Login = { username: 'holdfast_backup', password: 'choose one' };
const restorer: Login = { username: 'holdfast_restore', password: 'choose one' };

interface MissingRight {
  readonly right: string;
  readonly taken: readonly string[];
  /** Of the hint, which must help when it is run. */
  readonly gives: string;
  readonly reason?: string;
}

/** What the role that backs up may lack, in the database. */
const readingRights = (major: number): readonly MissingRight[] => [
  ...(major >= 14
    ? [
        {
          right: 'pg_read_all_data',
          taken: ['REVOKE pg_read_all_data FROM holdfast_backup'],
          gives: 'GRANT pg_read_all_data TO "holdfast_backup";',
        },
      ]
    : [
        {
          right: 'USAGE of a schema',
          taken: ['REVOKE USAGE ON SCHEMA "Odd ""schema""\n😀" FROM holdfast_backup'],
          gives: 'GRANT USAGE ON SCHEMA "Odd ""schema""\n😀" TO "holdfast_backup";',
        },
        {
          right: 'SELECT on a table',
          taken: ['REVOKE SELECT ON person FROM holdfast_backup'],
          gives: 'GRANT SELECT ON ALL TABLES IN SCHEMA "public" TO "holdfast_backup";',
        },
        {
          right: 'SELECT on a sequence',
          taken: ['REVOKE SELECT ON ticket FROM holdfast_backup'],
          gives: 'GRANT SELECT ON ALL SEQUENCES IN SCHEMA "public" TO "holdfast_backup";',
        },
      ]),
  {
    right: 'BYPASSRLS',
    taken: ['ALTER ROLE holdfast_backup NOBYPASSRLS'],
    gives: 'ALTER ROLE "holdfast_backup" BYPASSRLS;',
  },
  {
    right: 'SELECT on a large object',
    taken: ['REVOKE SELECT ON LARGE OBJECT 4711 FROM holdfast_backup'],
    gives: 'GRANT SELECT ON LARGE OBJECT 4711 TO "holdfast_backup";',
  },
];

/** What the role that restores may lack. `app` owns the database, and has a session in it. */
const restoringRights = (major: number): readonly MissingRight[] => [
  {
    right: 'CREATEDB',
    taken: ['ALTER ROLE holdfast_restore NOCREATEDB'],
    gives: 'ALTER ROLE "holdfast_restore" CREATEDB;',
  },
  {
    right: 'membership in the owner',
    taken: ['REVOKE app FROM holdfast_restore'],
    gives:
      major >= 16
        ? 'GRANT "app" TO "holdfast_restore" WITH INHERIT TRUE, SET TRUE;'
        : 'GRANT "app" TO "holdfast_restore";',
  },
  {
    right: 'pg_signal_backend',
    taken: ['REVOKE pg_signal_backend FROM holdfast_restore'],
    gives: 'GRANT pg_signal_backend TO "holdfast_restore";',
  },
  {
    right: 'CREATEROLE, for the settings of another role',
    taken: ['ALTER ROLE holdfast_restore NOCREATEROLE'],
    gives: 'ALTER ROLE "holdfast_restore" CREATEROLE;',
  },
  ...(major >= 15
    ? [
        {
          right: 'SET ON PARAMETER',
          taken: ['REVOKE SET ON PARAMETER log_statement FROM holdfast_restore'],
          gives: 'GRANT SET ON PARAMETER "log_statement" TO "holdfast_restore";',
        },
      ]
    : []),
];

describe.each(MAJORS_WITH_PROGRAMS)('on PostgreSQL %i, roles made by the statements of the documentation', (major) => {
  let world: PostgresWorld;
  let archive: Archive;

  beforeAll(async () => {
    world = await worldOfMajor(major, ['app', 'reader']);
    await anExampleDatabase(world, 'shop', { superuserThings: false });
    await run(`backup, ${major >= 14 ? 14 : 13}`, 'backup, row security', 'backup, large objects');
    await run('restore', `restore, settings, ${major >= 16 ? 16 : 13}`);
    if (major >= 15) {
      await world.sql('postgres', "ALTER DATABASE shop SET log_statement = 'ddl'");
      await run('restore, superuser settings, 15');
    }
  }, 120_000);

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  /** Before 15 schema public is the first superuser's, and nobody else can bring back who may do what in it. */
  const comparable = ({ schema: { schemas = [], ...schema }, ...print }: Fingerprint) => ({
    ...print,
    schema,
    schemas: (schemas as readonly { nspname: string }[]).filter(({ nspname }) => major >= 15 || nspname !== 'public'),
  });

  async function run(...names: readonly string[]): Promise<void> {
    for (const name of names) await world.sql('shop', await documentedSql(name));
  }

  test('back up and restore the whole example', async () => {
    const before = await world.print('shop');
    archive = await dumpOf(world, 'shop', dumper);
    await world.sql('shop', 'DROP TABLE person CASCADE');
    const client = world.client('shop', { username: 'reader', password: PASSWORD });
    await client.connect();
    const request = requestFor(archive, 'shop');
    await using target = await postgres.openTarget(world.access('shop'), restorer, request, world.context);
    expect((await target.plan()).refusals).toEqual([]);
    await loadInto(target, archive);
    await target.swap(inTheFuture());
    await expect(client.query('SELECT 1')).rejects.toThrow();
    expect(comparable(await world.print('shop'))).toEqual(comparable(before));
  }, 60_000);

  test.each(readingRights(major))(
    'cannot back up without $right, and are told the statement',
    async ({ taken, gives }) => {
      const opening = async () => {
        await using source = await postgres.openSource(world.access('shop'), dumper, world.context);
        return source.tables.length;
      };
      await world.sql('shop', ...taken);
      await expect(opening()).rejects.toMatchObject({ reason: 'RightMissing', hint: gives, outlook: 'retry' });
      await world.sql('shop', gives);
      expect(await opening()).toBeGreaterThan(0);
    },
  );

  test.each(restoringRights(major))(
    'cannot restore without $right, and are told the statement',
    async ({ taken, gives }) => {
      const client = world.client('shop', { username: 'reader', password: PASSWORD });
      await client.connect();
      const refusals = async () => {
        const request = requestFor(archive, 'shop');
        await using target = await postgres.openTarget(world.access('shop'), restorer, request, world.context);
        return (await target.plan()).refusals;
      };
      try {
        await world.sql('postgres', ...taken);
        expect(await refusals()).toContainEqual(
          expect.objectContaining({ reason: 'RightMissing', hint: expect.stringContaining(gives) }),
        );
        for (const { hint } of await refusals()) await world.sql('postgres', hint ?? '');
        expect(await refusals()).toEqual([]);
      } finally {
        await client.end();
      }
    },
  );

  test('cannot get in without CONNECT, and are told so', async () => {
    await world.sql('postgres', 'REVOKE CONNECT ON DATABASE shop FROM holdfast_backup, holdfast_restore');
    await expect(postgres.openSource(world.access('shop'), dumper, world.context)).rejects.toMatchObject({
      hint: expect.stringContaining('GRANT CONNECT ON DATABASE "shop" TO "holdfast_backup"'),
      outlook: 'retry',
    });
    await world.sql('postgres', 'GRANT CONNECT ON DATABASE shop TO holdfast_backup, holdfast_restore');
  });
});
