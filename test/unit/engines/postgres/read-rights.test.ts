import { expect, test } from '@jest/globals';
import { type Unreadable, unreadableProblem } from '../../../../src/engines/postgres/read-rights.ts';

const nothing: Unreadable = {
  role: 'Bob "B"',
  major: 13,
  schemas: [],
  tables: [],
  sequences: [],
  filtered: [],
  largeObjects: [],
  largeObjectCount: 0,
};
const tables = (count: number) => Array.from({ length: count }, (_, n) => ({ schema: 'app', name: `t${n}` }));

test('a role that may read everything has no problem', () => {
  expect(unreadableProblem(nothing)).toBeUndefined();
});

test('everything that is missing is told at once, each with its statement', () => {
  expect(
    unreadableProblem({
      ...nothing,
      schemas: ['Odd "s"'],
      tables: [{ schema: 'app', name: 'a.b' }],
      sequences: [{ schema: 'app', name: 'ids' }],
      filtered: [{ schema: 'app', name: 'secret' }],
      largeObjects: [7, 8],
      largeObjectCount: 2,
    }),
  ).toEqual({
    message:
      'role "Bob "B"" may not read schema "Odd ""s"""; table "app"."a.b"; sequence "app"."ids"; large object 7, 8; the rows that row security hides in "app"."secret"',
    hint: 'GRANT USAGE ON SCHEMA "Odd ""s""" TO "Bob ""B"""; GRANT SELECT ON ALL TABLES IN SCHEMA "app" TO "Bob ""B"""; GRANT SELECT ON ALL SEQUENCES IN SCHEMA "app" TO "Bob ""B"""; GRANT SELECT ON LARGE OBJECT 7, 8 TO "Bob ""B"""; ALTER ROLE "Bob ""B""" BYPASSRLS;',
  });
});

test('from 14 on one statement is enough for all but large objects and row security', () => {
  const problem = unreadableProblem({ ...nothing, major: 14, schemas: ['app'], tables: tables(3) });
  expect(problem?.hint).toBe('GRANT pg_read_all_data TO "Bob ""B""";');
});

test('of many, ten are named and the others counted', () => {
  const problem = unreadableProblem({ ...nothing, tables: tables(12) });
  expect(problem?.message).toMatch(/table "app"\."t0", .*"app"\."t9" and 2 more$/);
});

test('of millions of large objects the first are named and the others counted', () => {
  const largeObjects = Array.from({ length: 10 }, (_, n) => n);
  const problem = unreadableProblem({ ...nothing, largeObjects, largeObjectCount: 3_000_000 });
  expect(problem?.message).toMatch(/large object 0, .*, 9 and 2999990 more$/);
});
