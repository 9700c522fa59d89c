import { expect, test } from '@jest/globals';
import { previousDatabaseName } from '../../../../src/api/names.ts';
import type { Session } from '../../../../src/engines/postgres/connection.ts';
import { keptNotes } from '../../../../src/engines/postgres/kept-notes.ts';
import { writeNotes } from '../../../../src/engines/postgres/marker.ts';

const UID = (n: number) => `${n}2222222-aaaa-4bbb-8ccc-00000000000${n}`;
const nameOf = (n: number, database = 'shop') => previousDatabaseName(database, { uid: UID(n) });

/** What a server with these databases answers. */
function server(
  rows: readonly { readonly name: string; readonly comment?: string | undefined; readonly size?: string }[],
) {
  const query = async () => rows.map(({ comment = null, size = null, name }) => ({ name, comment, size }));
  return { query } as unknown as Session;
}

const kept = (n: number, size?: string, database = 'shop') => ({
  name: nameOf(n, database),
  comment: writeNotes({ restores: [], previousOf: UID(n), previousName: database }),
  ...(size === undefined ? {} : { size }),
});

const mark = (n: number) => ({
  ...{ namespace: 'shop', name: `try-${n}`, uid: UID(n), specHash: 'x', cluster: 'lodz', time: '2026-11-24T12:00:00Z' },
});

test('what earlier restores keep is named, with its size, whose it is, and what drops it', async () => {
  const live = { name: 'shop', comment: writeNotes({ restores: [mark(1)] }) };
  expect(await keptNotes(server([live, kept(1, '8 GB'), kept(2), kept(3, '1 MB', 'other')]), 'shop')).toEqual([
    `earlier restores keep "${nameOf(1)}" (8 GB, of Restore shop/try-1), "${nameOf(2)}" (of unknown size, of a Restore that nobody knows any more): each goes when the keepPrevious of its Restore is over, and where that Restore is gone, never by itself: DROP DATABASE "${nameOf(1)}"`,
  ]);
  expect((await keptNotes(server([live, kept(3, '1 MB', 'other')])))[0]).toContain('1 MB');
});

test('one that a person renamed, and a live one, are not kept', async () => {
  const renamed = { ...kept(1), name: 'shop_again' };
  expect(await keptNotes(server([{ name: 'shop' }, renamed]), 'shop')).toEqual([]);
});

test('of many some are named, and the rest counted', async () => {
  const many = Array.from({ length: 9 }, (_, n) => kept(n));
  expect((await keptNotes(server(many), 'shop'))[0]).toContain(' and 1 more: ');
});
