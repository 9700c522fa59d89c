import { describe, expect, test } from '@jest/globals';
import { type RestoreMark, readNotes, wasRestored, writeNotes } from '../../../../src/engines/postgres/marker.ts';
import { inAscii } from '../../../../src/engines/postgres/sql.ts';
import fc from '../../../support/fast-check.ts';

const aMark = (over: Partial<RestoreMark> = {}): RestoreMark => ({
  namespace: 'shop',
  name: 'monday',
  uid: 'u-1',
  specHash: 'h-1',
  cluster: 'prod',
  time: '2026-11-24T08:00:00.000Z',
  ...over,
});

describe('the notes in a comment', () => {
  test('of a database that nobody commented are none', () => {
    expect(readNotes(null)).toEqual({ restores: [] });
    expect(writeNotes({ restores: [] })).toBeUndefined();
  });

  test('stand below the text of the owner, a line each', () => {
    const notes = { comment: 'The shop.\n\nAsk Ann.', restores: [aMark()], scratchOf: 'u-2', previousOf: 'u-3' };
    const comment = writeNotes(notes);
    expect(comment?.split('\n').map((line) => line.slice(0, 24))).toEqual([
      'The shop.',
      '',
      'Ask Ann.',
      'holdfast-restores: [{"na',
      'holdfast-scratch-of: u-2',
      'holdfast-previous-of: u-',
    ]);
    expect(readNotes(comment)).toEqual(notes);
  });

  test('of what was loaded are a line in ASCII, and none of them once it is live', () => {
    const notes = { restores: [], scratchOf: 'u-2', loaded: inAscii(JSON.stringify({ owner: 'é\n☂' })) };
    const comment = writeNotes(notes) ?? '';
    expect(comment).toMatch(/^[\x20-\x7e\n]*$/);
    expect(comment.split('\n')).toHaveLength(2);
    expect(readNotes(comment)).toEqual(notes);
    expect(JSON.parse(readNotes(comment).loaded ?? '')).toEqual({ owner: 'é\n☂' });
  });

  test('are read back whatever the owner wrote', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((line) => !/^holdfast-/m.test(line));
    fc.assert(
      fc.property(text, fc.array(fc.constantFrom(aMark(), aMark({ uid: 'ü"\n' }))), (comment, restores) => {
        expect(readNotes(writeNotes({ comment, restores }))).toEqual({ comment, restores });
      }),
    );
  });

  test('survive an owner who writes below them', () => {
    expect(readNotes(`${writeNotes({ restores: [aMark()] })}\nmine`)).toEqual({ comment: 'mine', restores: [aMark()] });
  });

  test.each(['holdfast-loaded: that', 'holdfast-restores: [{', 'holdfast-restores: {}', 'holdfast is great'])(
    'are not seen in %j',
    (comment) => {
      expect(readNotes(comment)).toEqual({ comment, restores: [] });
    },
  );

  test('pass over a mark that lacks something, and keep the rest', () => {
    expect(readNotes(`holdfast-restores: ${JSON.stringify([{ name: 'x' }, null, aMark()])}`).restores).toEqual([
      aMark(),
    ]);
  });
});

describe('a restore was here before', () => {
  const notes = { restores: [aMark({ name: 'sunday' }), aMark(), aMark({ name: 'tuesday' })] };

  test('when one of its name and content was, under any uid and in any cluster', () => {
    expect(wasRestored(notes, { namespace: 'shop', name: 'monday', specHash: 'h-1' })).toBe(true);
  });

  test.each([{ namespace: 'other' }, { name: 'friday' }, { specHash: 'h-2' }])('but not with another %j', (over) => {
    expect(wasRestored(notes, { ...aMark(), ...over })).toBe(false);
  });
});
