import { expect, test } from '@jest/globals';
import type { Session } from '../../../../src/engines/postgres/connection.ts';
import { partOf } from '../../../../src/engines/postgres/selection.ts';

/** A server with one schema and so many tables in it, of which nothing needs anything. */
function serverWith(tables: number): Session {
  const relations = Array.from({ length: tables }, (_, n) => ({
    oid: n + 20_000,
    schema: 'app',
    name: `${'t'.repeat(50)}${n}`,
    kind: 'r',
    ofExtension: false,
    parent: null,
    rowsMayMove: false,
  }));
  const answers: readonly (readonly [RegExp, readonly unknown[]])[] = [
    [/WITH RECURSIVE/, []],
    [/FROM pg_constraint/, []],
    [/getdatabaseencoding/, [{ encoding: 'UTF8' }]],
    [/hostsExtension/, [{ oid: 1, name: 'app', ofExtension: false, hostsExtension: false }]],
    [/relkind AS kind/, relations],
  ];
  return {
    server: { version: '17.6', major: 17 },
    query: async (sql: string) => answers.find(([pattern]) => pattern.test(sql))?.[1] ?? [],
  } as unknown as Session;
}

const one = { include: { tables: [{ schema: 'app', name: `${'t'.repeat(50)}7` }] } };

test('one table of ten thousand is selected with arguments that a program can be started with', async () => {
  const { args, tables } = await partOf(serverWith(10_000), one);
  expect(tables).toHaveLength(1);
  expect(args.join(' ').length).toBeLessThan(1_000_000);
  // Linux takes no argument of more than 128 KiB.
  expect(Math.max(...args.map(({ length }) => length))).toBeLessThan(131_072);
});

test('one table of so many that no program could be started is refused, with a way on', async () => {
  await expect(partOf(serverWith(40_000), one)).rejects.toMatchObject({
    reason: 'SelectionTooLarge',
    hint: 'select whole schemas, or keep what is to be backed up in a schema of its own',
  });
});
