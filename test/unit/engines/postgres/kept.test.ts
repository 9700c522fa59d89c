import { describe, expect, test } from '@jest/globals';
import { keptOf, madeBy, type Named } from '../../../../src/engines/postgres/kept.ts';
import { type DatabaseNotes, marksOfBoth, readNotes, writeNotes } from '../../../../src/engines/postgres/marker.ts';

const UID = '0e02e22e-1111-4222-8333-444444444444';
const undone = { namespace: 'shop', name: 'upgrade', uid: UID, specHash: 'a1', databases: [] };

const mark = (over: Partial<DatabaseNotes['restores'][number]> = {}) => ({
  ...{ namespace: 'shop', name: 'upgrade', uid: UID, specHash: 'a1', cluster: 'lodz' },
  time: '2026-11-24T12:00:00.000Z',
  ...over,
});

function database(name: string, notes: Partial<DatabaseNotes> = {}): Named {
  return { name, facts: { notes: { restores: [], ...notes } } as Named['facts'] };
}

const kept = (name: string, previousName?: string, uid = UID) =>
  database(name, { previousOf: uid, ...(previousName === undefined ? {} : { previousName }) });

describe('of a whole server', () => {
  test('is kept what bears the mark of the restore under the name that it gave, and nothing else', () => {
    const found = keptOf(
      [
        database('one', { restores: [mark()] }),
        kept('one_before_0e02e22e', 'one'),
        kept('mine', 'two'),
        kept('three_before_99999999', 'three', '99999999-1111-4222-8333-444444444444'),
        database('four_before_0e02e22e'),
      ],
      undone,
    );
    expect(found.kept.map(({ name, database: as, mark: by }) => [name, as, by?.time])).toEqual([
      ['one_before_0e02e22e', 'one', '2026-11-24T12:00:00.000Z'],
    ]);
    expect(found.live.map(({ name }) => name)).toEqual(['one', 'mine', 'four_before_0e02e22e']);
  });

  test('one whose name an older version did not note is told apart', () => {
    const found = keptOf([kept('one_before_0e02e22e', 'one'), kept('two_before_0e02e22e')], undone);
    expect([found.kept.length, found.nameless]).toEqual([1, ['two_before_0e02e22e']]);
  });

  test('what a predecessor of the same name and spec replaced is found by its mark, the newest first', () => {
    const [older, newer] = ['aaaaaaaa-1111-4222-8333-444444444444', 'bbbbbbbb-1111-4222-8333-444444444444'];
    const live = database('one', { restores: [mark({ uid: older }), mark({ uid: newer })] });
    const all = [live, kept('one_before_aaaaaaaa', 'one', older), kept('one_before_bbbbbbbb', 'one', newer)];
    expect(keptOf(all, undone).kept.map(({ name }) => name)).toEqual(['one_before_bbbbbbbb']);
    expect(keptOf(all, { ...undone, specHash: 'other' }).kept).toEqual([]);
  });

  test('what the restore made where there was none is named', () => {
    const all = [
      database('one', { restores: [mark()] }),
      database('new', { restores: [mark()] }),
      database('other', { restores: [mark({ uid: 'x', name: 'y' })] }),
      kept('one_before_0e02e22e', 'one'),
    ];
    expect(madeBy(keptOf(all, undone), undone)).toEqual(['new']);
  });
});

describe('the notes', () => {
  test('tell what a database was called, whatever it was called, and a line that tells no name is the owner’s', () => {
    const notes = { comment: 'mine', restores: [], previousOf: UID, previousName: 'a "name"\nof two lines' };
    expect(readNotes(writeNotes(notes))).toEqual(notes);
    expect(readNotes('holdfast-previous-name: shop')).toEqual({
      comment: 'holdfast-previous-name: shop',
      restores: [],
    });
  });

  test('of two databases are put together in the order of time, none twice', () => {
    const at = (uid: string, hour: number) => mark({ uid, time: `2026-11-24T${hour}:00:00.000Z` });
    const all = marksOfBoth([at('a', 10), at('c', 12)], [at('a', 10), at('b', 11), at('d', 13)]);
    expect(all.map(({ uid }) => uid)).toEqual(['a', 'b', 'c', 'd']);
  });
});
