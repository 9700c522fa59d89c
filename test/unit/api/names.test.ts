import { expect, test } from '@jest/globals';
import { isScratchName, numberedDatabaseName, scratchDatabaseName } from '../../../src/api/names.ts';

const OURS = { uid: '22222222-aaaa-4bbb-8ccc-000000000002' };
const OTHER = { uid: '22222222-aaaa-4bbb-8ccc-000000000003' };
const own = scratchDatabaseName(OURS);

test.each<[string, string, boolean]>([
  ['its own', own, true],
  ['one of a whole server', numberedDatabaseName(own, 0), true],
  ['another one of it', numberedDatabaseName(own, 123), true],
  ['that of another restore', scratchDatabaseName(OTHER), false],
  ['one that begins like it', `${own}0`, false],
  ['one that a person gave', `${own}_kept`, false],
  ['one with nothing behind it', `${own}_`, false],
  ['one that has more before it', `a_${own}`, false],
  ['the beginning of it', own.slice(0, -1), false],
])('a name of the scratch databases of a restore: %s', (_what, name, expected) => {
  expect(isScratchName(name, OURS)).toBe(expected);
});
