import { describe, expect, test } from '@jest/globals';
import { age, list, nearest, plural, shortSpan } from '../../../src/cli/words.ts';
import { NOON } from '../../support/builders.ts';

describe('the word that was meant', () => {
  const names = ['nightly', 'weekly', 'nightly-202611230117', 'nightly-202611240117'];

  test.each([
    ['nighty', 'nightly'],
    ['nihgtly', 'nightly'],
    ['wekly', 'weekly'],
    ['nightly-202611240118', 'nightly-202611240117'],
  ])('%s is %s', (typed, meant) => {
    expect(nearest(typed, names)).toBe(meant);
  });

  test('of a beginning, the newest that begins so', () => {
    expect(nearest('nightly-2026', names)).toBe('nightly-202611240117');
  });

  test('of something else, none', () => {
    expect(nearest('orders', names)).toBeUndefined();
    expect(nearest('orders', [])).toBeUndefined();
  });
});

test.each([
  [3_000, '3s'],
  [250_000, '4m10s'],
  [45 * 60_000, '45m'],
  [3 * 3_600_000 + 60_000, '3h1m'],
  [30 * 3_600_000, '1d6h'],
  [40 * 86_400_000, '40d'],
])('%d ms is %s', (milliseconds, said) => {
  expect(shortSpan(milliseconds)).toBe(said);
});

test('the age of nothing is nothing', () => {
  expect(age(undefined, NOON)).toBeUndefined();
  expect(age('2026-11-24T11:59:00Z', NOON)).toBe('1m');
});

test('counts and lists read as a person writes them', () => {
  expect([plural(1, 'key'), plural(2, 'key'), plural(0, 'key')]).toEqual(['1 key', '2 keys', '0 keys']);
  expect([list([]), list(['a']), list(['a', 'b', 'c'])]).toEqual(['', 'a', 'a, b and c']);
});
