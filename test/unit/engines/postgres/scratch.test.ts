import { expect, test } from '@jest/globals';
import type { DatabaseProperties } from '../../../../src/archive/contents.ts';
import { createStatement } from '../../../../src/engines/postgres/scratch.ts';

const properties: DatabaseProperties = {
  owner: 'app',
  encoding: 'UTF8',
  localeProvider: 'c',
  collate: 'C',
  ctype: "it's",
  tablespace: 'pg_default',
  connectionLimit: 7,
  settings: [],
};
const create = (over: Partial<DatabaseProperties>, major: number) =>
  createStatement('s"x', { ...properties, ...over }, major).replace(/^.* LC_CTYPE 'it''s'/, '…');

test('the new database is born closed, empty and with the encoding and locale that are wanted', () => {
  expect(createStatement('s"x', properties, 14)).toBe(
    `CREATE DATABASE "s""x" OWNER "app" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'it''s' ALLOW_CONNECTIONS false CONNECTION LIMIT 0`,
  );
});

test.each([
  ['libc', {}, 17, 'LOCALE_PROVIDER libc'],
  ['icu of 15', { localeProvider: 'i', locale: 'de-DE' }, 15, `LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'`],
  [
    'icu with rules',
    { localeProvider: 'i', locale: 'und', icuRules: '&a < b' },
    16,
    `LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&a < b'`,
  ],
  ['builtin of 17', { localeProvider: 'b', locale: 'C.UTF-8' }, 17, `LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'`],
  ['a tablespace of its own', { tablespace: 'fast' }, 14, 'TABLESPACE "fast"'],
])('%s', (_, over, major, options) => {
  expect(create(over, major)).toBe(
    `… ${[...(major >= 15 && !options.includes('LOCALE') ? ['LOCALE_PROVIDER libc'] : []), options].join(' ')} ALLOW_CONNECTIONS false CONNECTION LIMIT 0`,
  );
});
