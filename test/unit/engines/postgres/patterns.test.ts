import { expect, test } from '@jest/globals';
import { literalPattern, tablePatterns } from '../../../../src/engines/postgres/patterns.ts';

const codes = (text: string) => [...text].map((letter) => letter.codePointAt(0) ?? 0);

test.each([
  ['plain', '"plain"'],
  ['a.b', '"a.b"'],
  ['Cap', '"Cap"'],
  ['say "hi"', '"say ""hi"""'],
  ['x*?[]$\\', '"x*?[]$\\"'],
  ['naïve', '"na"(\\xef)"ve"'],
  ['éa', '(\\xe9)"a"'],
  ['日本', '(\\x65e5)(\\x672c)'],
  ['😀', '(\\x1f600)'],
  ['\n', '"\n"'],
])('%j is the pattern %j, with nothing in it that is not ASCII', (name, pattern) => {
  expect(literalPattern(codes(name))).toBe(pattern);
  expect(pattern).toMatch(/^[\0-\x7f]*$/);
});

test('the tables of a schema share patterns that the server takes at once', () => {
  expect(tablePatterns(codes('A.b'), [codes('x'), codes('é')])).toEqual(['"A.b".("x"|(\\xe9))']);
  expect(tablePatterns(codes('a'), [])).toEqual([]);
  const names = Array.from({ length: 1000 }, (_, n) => `${'n'.repeat(50)}${n}`);
  const patterns = tablePatterns(codes('a'), names.map(codes));
  expect(patterns.length).toBeGreaterThan(10);
  expect(Math.max(...patterns.map(({ length }) => length))).toBeLessThan(4200);
  expect(patterns.flatMap((pattern) => pattern.slice('"a".('.length, -1).split('|'))).toEqual(
    names.map((name) => `"${name}"`),
  );
});
