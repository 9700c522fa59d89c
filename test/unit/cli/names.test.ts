import { expect, test } from '@jest/globals';
import { freshName, shownSource, withoutStamp } from '../../../src/cli/names.ts';
import { aRestore, NOON } from '../../support/builders.ts';

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

test.each<[string, Parameters<typeof aRestore>[0], string]>([
  ['the Backup that it names', {}, 'nightly'],
  ['the Backup that was chosen', { status: { resolved: { backup: 'b', path: 'x/', digest: 'd', time: 't' } } }, 'b'],
  ['what will be chosen', { spec: { from: { latest: { scheduleRef: { name: 'hourly' } } } } }, 'latest of hourly'],
  [
    'the folder of an archive',
    {
      spec: {
        from: {
          archive: { storeRef: { name: 's' }, path: 's3://b/v1/c/n/_manual/20261124T020000Z-1a2b3c4d/manifest.json' },
        },
      },
    },
    '20261124T020000Z-1a2b3c4d',
  ],
])('a table shows of a restore %s', (_what, more, shown) => {
  expect(shownSource(aRestore(more))).toBe(shown);
});
