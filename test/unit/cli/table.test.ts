import { expect, test } from '@jest/globals';
import { coloured, harmless, widthOf } from '../../../src/cli/style.ts';
import { cell, facts, table } from '../../../src/cli/table.ts';

test('columns stand under their headers, and colours do not count', () => {
  const text = table(
    ['NAME', 'READY', 'AGE'],
    [
      ['a-long-name', coloured('green', 'yes'), '3m'],
      ['b', 'no', '12d'],
    ],
  );
  const lines = text.replace(/\u001b\[\d+m/g, '').split('\n');
  expect(lines).toEqual(['NAME          READY   AGE', 'a-long-name   yes     3m', 'b             no      12d']);
});

test('facts that are not known are left out, and further lines keep their column', () => {
  expect(
    facts([
      ['name', 'x'],
      ['server', undefined],
      ['failure', 'it broke\nnext: mend it'],
    ]),
  ).toBe(['name:    x', 'failure: it broke', '         next: mend it'].join('\n'));
});

test('text from elsewhere cannot move the cursor or colour the screen', () => {
  expect(harmless('\u001b[2J\u001b]0;title\u0007wiped\r')).toBe('�[2J�]0;title�wiped�');
  expect(harmless('two\nlines\tare fine')).toBe('two\nlines\tare fine');
});

test('a cell is one line, and never empty', () => {
  expect([cell('a\n  b'), cell(''), cell(undefined), cell(0), cell(false)]).toEqual([
    'a b',
    '<none>',
    '<none>',
    '0',
    'false',
  ]);
});

test('colours take no columns', () => {
  expect(widthOf(coloured('red', 'abc'))).toBe(3);
});
