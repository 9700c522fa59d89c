import { expect, test } from '@jest/globals';
import type { Contents, InstanceContents } from '../../../src/archive/contents.ts';
import { databasesIn, isInstance, partsIn } from '../../../src/archive/contents.ts';
import { newIdentity } from '../../../src/keys/identities.ts';
import { partsProblem } from '../../../src/runner/parts.ts';
import { openContents, sealContents } from '../../../src/runner/sealed-contents.ts';

const plain = { size: 5, sha256: `sha256:${'a'.repeat(64)}` };
const properties = {
  owner: 'app',
  encoding: 'UTF8',
  localeProvider: 'c',
  collate: 'C',
  ctype: 'C',
  tablespace: 'pg_default',
  connectionLimit: -1,
  settings: [],
};
const part = (number: number) => ({ part: number, tool: 'pg_dump 17.6', format: 'custom' as const, plain });

/** As the first version wrote it, to the letter: every archive of that time must open for ever. */
const FIRST = {
  formatVersion: 1,
  database: 'shop',
  properties,
  tables: [{ schema: 'public', name: 'orders' }],
  parts: [part(0)],
  recipe: ['cat …'],
} as Contents;

const SERVER: InstanceContents = {
  formatVersion: 1,
  scope: 'Instance',
  databases: ['shop', 'stock'].map((database, index) => ({ database, properties, tables: [], parts: [part(index)] })),
  skipped: [{ database: 'template1', reason: 'Template' }],
  globals: { part: 2, tool: 'pg_dumpall 17.6', format: 'sql', plain, rolePasswords: true },
  roles: [],
  memberships: [{ role: 'team', member: 'app', admin: false }],
  tablespaces: [],
  recipe: [],
};

async function sealedAndOpened(contents: Contents): Promise<Contents> {
  const { identity, recipient } = await newIdentity('classic');
  return openContents(await sealContents(contents, [recipient]), [identity]);
}

test('the contents of one database open as they always did, and tell of one database', async () => {
  const opened = await sealedAndOpened(FIRST);
  expect(opened).toEqual(FIRST);
  expect(isInstance(opened)).toBe(false);
  expect(databasesIn(opened).map(({ database }) => database)).toEqual(['shop']);
  expect(partsProblem({ segments: [{ part: 0 }] as never }, opened)).toBeUndefined();
});

test('the contents of a whole server tell of every part, the one of the roles too', async () => {
  const opened = await sealedAndOpened(SERVER);
  expect(opened).toEqual(SERVER);
  expect(partsIn(opened).map((each) => each.part)).toEqual([0, 1, 2]);
  const segments = (...parts: number[]) => ({ segments: parts.map((number) => ({ part: number })) as never });
  expect(partsProblem(segments(0, 1, 2), opened)).toBeUndefined();
  expect(partsProblem(segments(0, 1), opened)).toContain('parts 0, 1, and its contents the parts 0, 1, 2');
});

test('contents of a scope that we do not know are not taken for those of one database', async () => {
  const unknown = { ...FIRST, scope: 'Galaxy' } as unknown as Contents;
  const { identity, recipient } = await newIdentity('classic');
  const sealed = await sealContents(unknown, [recipient]);
  await expect(openContents(sealed, [identity])).rejects.toMatchObject({ reason: 'ArchiveCorrupt' });
});
