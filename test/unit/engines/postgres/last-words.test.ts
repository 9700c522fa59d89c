import { expect, test } from '@jest/globals';
import { problemOf } from '../../../../src/engines/postgres/last-words.ts';

const exit = (stderr: string, code = 1) => ({ command: 'pg_restore', code, signal: null, stderr });

test('a program that ended well has no problem, whatever it said', () => {
  expect(problemOf(exit('pg_restore: warning: hm', 0))).toBeUndefined();
});

test('the cause is kept and rows are not', () => {
  const stderr = [
    'pg_restore: while PROCESSING TOC:',
    'pg_restore: from TOC entry 3319; 0 16390 TABLE DATA t postgres',
    'pg_restore: error: COPY failed for table "t": ERROR:  duplicate key value violates unique constraint "t_pkey"',
    'DETAIL:  Key (name)=(canary) already exists.',
    'CONTEXT:  COPY t, line 1: "canary"',
    'pg_restore: detail: Query was: INSERT canary',
  ].join('\n');
  expect(problemOf(exit(stderr))).toBe(
    'pg_restore ended with exit code 1: pg_restore: error: COPY failed for table "t": ERROR:  duplicate key value violates unique constraint "t_pkey"',
  );
});

test('the cause is kept where a name goes over two lines, and what follows it is not', () => {
  const stderr = [
    'pg_restore: error: COPY failed for table "two',
    'lines": ERROR:  no partition of relation "t" found for row',
    'DETAIL:  Partition key of the failing row contains (k) = (canary).',
    'CONTEXT:  COPY t, line 1: "canary"',
  ].join('\n');
  expect(problemOf(exit(stderr))).toMatch(
    /for table "two lines": ERROR: {2}no partition of relation "t" found for row$/,
  );
});

test('a quote that is never closed does not bring rows along', () => {
  const stderr = [
    'pg_restore: error: could not execute query: ERROR:  it said "hm',
    'DETAIL:  Key (name)=(canary) already exists.',
    'pg_restore: warning: errors ignored',
  ].join('\n');
  expect(problemOf(exit(stderr))).toMatch(/it said "hm$/);
});

test('a long complaint is cut to its end', () => {
  const stderr = `pg_restore: error: ${'x'.repeat(5_000)}the end`;
  expect(problemOf(exit(stderr))?.length).toBeLessThan(1_100);
  expect(problemOf(exit(stderr))).toMatch(/the end$/);
});

test('the program that writes down roles has its say as well', () => {
  const stderr =
    'pg_dumpall: error: query failed: ERROR:  permission denied\npg_dumpall: detail: Query was: SELECT rolpassword';
  expect(problemOf(exit(stderr))).toMatch(/: pg_dumpall: error: query failed: ERROR: {2}permission denied$/);
});
