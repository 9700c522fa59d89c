import { expect, test } from '@jest/globals';
import { freshName, withoutStamp } from '../../../src/cli/names.ts';
import { NOON } from '../../support/builders.ts';

test('a fresh name says when it was made', () => {
  expect(freshName('nightly', NOON)).toBe('nightly-20261124-120000');
});

test('a long name is cut, and two that begin alike stay two', () => {
  const [a, b] = [freshName(`${'x'.repeat(60)}a`, NOON), freshName(`${'x'.repeat(60)}b`, NOON)];
  expect(a.length).toBeLessThanOrEqual(61);
  expect(a).not.toBe(b);
});

test('names do not grow from restore to restore', () => {
  expect(withoutStamp('nightly-20261124-120000')).toBe('nightly');
  expect(withoutStamp('nightly-202611240117')).toBe('nightly');
  expect(withoutStamp('before-upgrade')).toBe('before-upgrade');
});
