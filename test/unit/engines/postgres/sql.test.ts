import { expect, test } from '@jest/globals';
import { assignment, nameList } from '../../../../src/engines/postgres/sql.ts';

test.each([
  ['"$user", public', ['$user', 'public']],
  ['"with, comma", "and ""quotes"""', ['with, comma', 'and "quotes"']],
  ['Public ,x', ['public', 'x']],
  ['""', ['']],
  ['', ['']],
])('the list %s is %j', (text, names) => {
  expect(nameList(text)).toEqual(names);
});

test('a list is given back name by name, anything else as one string', () => {
  expect(assignment('search_path', '"$user", public')).toBe(`"search_path" TO '$user', 'public'`);
  expect(assignment('my.tenant', `it's, "7"`)).toBe(`"my.tenant" TO 'it''s, "7"'`);
});
