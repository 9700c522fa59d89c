import { expect, test } from '@jest/globals';
import { isLater } from '../../../src/lib/semver.ts';

/** As semver.org orders them. */
const ORDER = [
  undefined,
  '0.9.9',
  '0.10.0',
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-beta',
  '1.0.0-beta.2',
  '1.0.0-beta.11',
  '1.0.0-rc.1',
  '1.0.0',
  '1.0.1',
  '2.0.0',
] as const;

const pairs = ORDER.flatMap((a, i) => ORDER.map((b, j) => [a, b, i > j] as const));

test.each(pairs)('%s is later than %s: %p', (a, b, later) => {
  expect(isLater(a, b)).toBe(later);
});

test.each([
  ['v1.2.3', '1.2.3'],
  ['1.2.3+build.1', '1.2.3+build.2'],
  ['latest', '0.0.0-0'],
])('%s is no later than %s', (a, b) => {
  expect(isLater(a, b)).toBe(false);
});
