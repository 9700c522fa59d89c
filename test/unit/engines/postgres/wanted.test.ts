import { describe, expect, test } from '@jest/globals';
import type { DatabaseProperties } from '../../../../src/archive/contents.ts';
import { regranted } from '../../../../src/engines/postgres/acl.ts';
import { settingsAs, wantedProperties, wantedPublicSchema } from '../../../../src/engines/postgres/wanted.ts';

const archived: DatabaseProperties = {
  owner: 'app',
  encoding: 'UTF8',
  localeProvider: 'c',
  collate: 'C',
  ctype: 'C',
  tablespace: 'pg_default',
  connectionLimit: -1,
  acl: ['=Tc/app', 'app=CTc/app', 'reader=c/app'],
  settings: [
    { name: 'work_mem', value: '9MB' },
    { role: 'reader', name: 'work_mem', value: '8MB' },
  ],
};
const live: DatabaseProperties = { ...archived, owner: 'team', acl: ['team=CTc/team', 'web=c/team'] };

describe('a database that is to be as it was', () => {
  test('is as the live one, else as the archive has it', () => {
    expect(wantedProperties(live, archived, {})).toEqual(live);
    expect(wantedProperties(undefined, archived, {})).toEqual(archived);
    expect(settingsAs(undefined, {})).toBeUndefined();
  });

  test('grants nothing of the archive where privileges are skipped, and all that the live one did', () => {
    const { acl: _, ...rest } = archived;
    expect(wantedProperties(undefined, archived, { privileges: 'Skip' })).toEqual(rest);
    expect(wantedProperties(live, archived, { privileges: 'Skip' })).toEqual(live);
  });
});

describe('a database that is given to a role', () => {
  test('is its own; what the old owner held is its, and what the archive sets for other roles is left out', () => {
    expect(wantedProperties(undefined, archived, { owner: 'restored' })).toEqual({
      ...archived,
      owner: 'restored',
      acl: ['=Tc/app', '"restored"=CTc/app', 'reader=c/app'],
      settings: [{ name: 'work_mem', value: '9MB' }],
    });
  });

  test('keeps what the live one had set and granted to others', () => {
    const wanted = wantedProperties(live, archived, { owner: 'restored' });
    expect(wanted).toEqual({ ...live, owner: 'restored', acl: ['"restored"=CTc/team', 'web=c/team'] });
  });

  test('has the settings of the archive with the rights of that role, those of the live one with ours', () => {
    expect(settingsAs(undefined, { owner: 'restored' })).toBe('restored');
    expect(settingsAs(live, { owner: 'restored' })).toBeUndefined();
  });

  test('has its schema public, where it has one at all', () => {
    const wish = { owner: 'restored' };
    expect(wantedPublicSchema({ ...archived, publicSchemaOwner: 'app' }, wish)).toBe('restored');
    expect(wantedPublicSchema({ ...archived, publicSchemaOwner: null }, wish)).toBeNull();
    expect(wantedPublicSchema(archived, wish)).toBeUndefined();
    expect(wantedPublicSchema({ ...archived, publicSchemaOwner: 'app' }, {})).toBe('app');
  });
});

test.each([
  ['app=CTc/app', 'app', 'new', '"new"=CTc/app'],
  ['"an app"=c/x', 'an app', 'new', '"new"=c/x'],
  ['"a ""b"""=c/x', 'a "b"', 'c "d"', '"c ""d"""=c/x'],
  ['=Tc/app', 'app', 'new', '=Tc/app'],
  ['other=c/app', 'app', 'new', 'other=c/app'],
])('%s, given by %s to %s', (item, from, to, given) => {
  expect(regranted(item, from, to)).toBe(given);
});
