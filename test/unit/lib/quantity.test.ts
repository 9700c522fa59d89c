import { expect, test } from '@jest/globals';
import { BYTES_PATTERN, parseBytes } from '../../../src/lib/quantity.ts';

test.each([
  [0, 0],
  [1_000_000, 1_000_000],
  ['1000000', 1_000_000],
  ['500Gi', 500 * 1024 ** 3],
  ['1.5T', 1_500_000_000_000],
  ['10k', 10_000],
  ['10Ki', 10_240],
  ['0.5Ki', 512],
])('%p is %i bytes', (quantity, bytes) => {
  expect(parseBytes(quantity)).toBe(bytes);
});

test.each(['', '5 Gi', '5gi', '5GB', '-1', '1e3', '.5Gi', '5m'])('"%s" is none, for the pattern as well', (text) => {
  expect(text).not.toMatch(new RegExp(BYTES_PATTERN));
  expect(() => parseBytes(text)).toThrow('not a number of bytes');
});
