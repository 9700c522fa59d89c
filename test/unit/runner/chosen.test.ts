import { expect, test } from '@jest/globals';
import type { DatabaseContents, InstanceContents } from '../../../src/archive/contents.ts';
import { chosenDatabase, isWhole } from '../../../src/runner/chosen.ts';

const database = (name: string) => ({ database: name, parts: [] }) as unknown as DatabaseContents;
const one = { ...database('shop'), formatVersion: 1 as const, recipe: [] };
const all = { scope: 'Instance', databases: [database('shop'), database('stock')] } as unknown as InstanceContents;
const server = { engine: 'postgresql', host: 'pg', port: 5432 } as never;
const named = { ...(server as object), database: 'shop' } as never;

test('an archive of one database gives that one, with its name or without', () => {
  expect(chosenDatabase({}, one)).toBe(one);
  expect(chosenDatabase({ fromDatabase: 'shop' }, one)).toBe(one);
});

test('an archive of a whole server gives the one that is named', () => {
  expect(chosenDatabase({ fromDatabase: 'stock' }, all).database).toBe('stock');
});

test('a name that is not in the archive is refused with those that are', () => {
  expect(() => chosenDatabase({ fromDatabase: 'Shop' }, all)).toThrow('no database "Shop"; it has "shop", "stock"');
  expect(() => chosenDatabase({ fromDatabase: 'stock' }, one)).toThrow('no database "stock"; it has "shop"');
});

test('a server is restored whole only where neither archive nor target is narrowed to one database', () => {
  expect(isWhole({ database: server }, all)).toBe(true);
  expect(isWhole({ database: server, fromDatabase: 'shop' }, all)).toBe(false);
  expect(isWhole({ database: named }, all)).toBe(false);
  expect(isWhole({ database: named }, one)).toBe(false);
  expect(() => chosenDatabase({}, all)).toThrow(expect.objectContaining({ reason: 'InstanceNeedsDatabase' }));
});
