import { expect, test } from '@jest/globals';
import { DATABASES_NAMED } from '../../../src/api/task.ts';
import { firstNames } from '../../../src/runner/first-names.ts';
import { terminationMessage } from '../../../src/runner/report.ts';

const reported = (names: readonly string[]) =>
  terminationMessage({ command: 'swap', ok: true, result: { previousDatabases: firstNames(names) } });

test('a few names are all told', () => {
  expect(firstNames(['a', 'b'])).toEqual(['a', 'b']);
});

test('of many names the first are told, so that the report is whole, whatever is in them', () => {
  const many = Array.from({ length: 1_000 }, (_, n) => `database ${n}`);
  expect(firstNames(many)).toEqual(many.slice(0, DATABASES_NAMED));
  for (const letter of ['x', '"', '\\', '\u0001', '🦔']) {
    const names = many.map((name) => letter.repeat(63) + name);
    const { result } = JSON.parse(reported(names));
    expect(result.previousDatabases.length).toBeGreaterThan(0);
    expect(Buffer.byteLength(reported(names))).toBeLessThanOrEqual(4096);
  }
});
