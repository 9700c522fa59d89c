/** Rows that are another partition's in another database: an archive of them must be one that can be restored. */
import { expect, test } from '@jest/globals';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { MAJORS_WITH_PROGRAMS, type Major } from '../cluster/postgres-majors.ts';
import { withProgramsOfEveryMajor, worldsByMajor } from '../support/postgres-majors.ts';
import { dumpOf, inTheFuture, loadInto, requestFor } from '../support/postgres-world.ts';

withProgramsOfEveryMajor();
const worldOf = worldsByMajor();

const MOODS = ['sad', 'glad', 'calm', 'keen', 'sore', 'wry', 'shy'];
const LIST = MOODS.map((name) => `'${name}'`).join(', ');
const mood = (n: string) => `(ARRAY[${LIST}])[1 + ${n} % 7]`;

/** The type of a key, and a value of it for each `n`. */
const KEYS: Readonly<Record<string, string>> = {
  mood: `${mood('n')}::mood`,
  feeling: `${mood('n')}::feeling`,
  'mood[]': `ARRAY[${mood('n')}, ${mood('n / 7')}]::mood[]`,
  pair: `ROW(${mood('n')}, n)::pair`,
  span: `span(${mood('n % 3')}::mood, NULL)`,
  spans: `spans(span(${mood('n % 3')}::mood, NULL))`,
  regclass: `${mood('n')}::regclass`,
};

/** A type, and since when it has a hash. */
const SINCE: Readonly<Record<string, Major>> = { pair: 15, spans: 15 };

const cases = MAJORS_WITH_PROGRAMS.flatMap((major) =>
  Object.keys(KEYS)
    .filter((type) => major >= (SINCE[type] ?? major))
    .map((type) => [major, type] as const),
);

test.each(cases)(
  'on PostgreSQL %i a table partitioned by the hash of a %s comes back',
  async (major, type) => {
    const world = await worldOf(major);
    await world.sql('postgres', 'CREATE DATABASE whole');
    try {
      await world.sql(
        'whole',
        `CREATE TYPE mood AS ENUM (${LIST})`,
        'CREATE DOMAIN feeling AS mood',
        'CREATE TYPE pair AS (feels mood, n int)',
        `CREATE TYPE span AS RANGE (subtype = mood${major >= 14 ? ', multirange_type_name = spans' : ''})`,
        ...MOODS.map((name) => `CREATE TABLE ${name} ()`),
        `CREATE TABLE t (key ${type}) PARTITION BY HASH (key)`,
        ...[0, 1, 2].map(
          (rest) => `CREATE TABLE t${rest} PARTITION OF t FOR VALUES WITH (MODULUS 3, REMAINDER ${rest})`,
        ),
        `INSERT INTO t SELECT ${KEYS[type]} FROM generate_series(1, 60) n`,
        'ANALYZE',
      );
      const before = await world.print('whole');
      const archive = await dumpOf(world, 'whole');
      const request = requestFor(archive, 'again', { onConflict: 'Fail' });
      await using target = await postgres.openTarget(world.access('again'), world.superuser, request, world.context);
      expect((await target.plan()).refusals).toEqual([]);
      await loadInto(target, archive);
      await target.swap(inTheFuture());
      const { rows } = await world.print('again');
      expect(rows['public.t']).toMatchObject({ count: '60' });
      expect(rows['public.t']).toEqual(before.rows['public.t']);
      await world.sql('postgres', 'DROP DATABASE again WITH (FORCE)');
    } finally {
      await world.sql('postgres', 'DROP DATABASE whole WITH (FORCE)');
    }
  },
  60_000,
);
