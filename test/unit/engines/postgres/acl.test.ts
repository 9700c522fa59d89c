import { describe, expect, test } from '@jest/globals';
import { granteesOf, grantStatements, parseGrant } from '../../../../src/engines/postgres/acl.ts';
import fc from '../../../support/fast-check.ts';

describe('an access list entry', () => {
  test.each([
    [
      '=Tc/owner',
      {
        privileges: [
          { name: 'TEMPORARY', grantable: false },
          { name: 'CONNECT', grantable: false },
        ],
      },
    ],
    [
      'app=C*c/owner',
      {
        grantee: 'app',
        privileges: [
          { name: 'CREATE', grantable: true },
          { name: 'CONNECT', grantable: false },
        ],
      },
    ],
    ['"a=b/""c"""=c/"d=e"', { grantee: 'a=b/"c"', privileges: [{ name: 'CONNECT', grantable: false }] }],
    ['app=/owner', { grantee: 'app', privileges: [] }],
  ])('%s', (item, grant) => {
    expect(parseGrant(item)).toEqual(grant);
  });

  test('of any role, quoted as PostgreSQL does, is read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (role) => {
        const quoted = /^\w+$/.test(role) ? role : `"${role.replaceAll('"', '""')}"`;
        expect(parseGrant(`${quoted}=c/owner`)).toEqual({
          grantee: role,
          privileges: [{ name: 'CONNECT', grantable: false }],
        });
      }),
    );
  });

  test.each(['app', 'app=r/owner', 'app=c'])('%s is none of a database', (item) => {
    expect(() => parseGrant(item)).toThrow(item);
  });
});

test('the roles of a list leave PUBLIC out', () => {
  expect(granteesOf(['=c/o', 'a=c/o', '"b c"=T/o'])).toEqual(['a', 'b c']);
});

test('the statements clear what a new database has, and give what the list says', () => {
  expect(grantStatements('d"b', 'me', ['=c/me', 'app=T*c/me'])).toEqual([
    'REVOKE ALL ON DATABASE "d""b" FROM PUBLIC',
    'REVOKE ALL ON DATABASE "d""b" FROM "me"',
    'GRANT CONNECT ON DATABASE "d""b" TO PUBLIC',
    'GRANT CONNECT ON DATABASE "d""b" TO "app"',
    'GRANT TEMPORARY ON DATABASE "d""b" TO "app" WITH GRANT OPTION',
  ]);
});

test('without a list a database gets what a new one has', () => {
  expect(grantStatements('d', 'me', undefined).slice(2)).toEqual([
    'GRANT CONNECT, TEMPORARY ON DATABASE "d" TO PUBLIC',
    'GRANT ALL ON DATABASE "d" TO "me"',
  ]);
});
