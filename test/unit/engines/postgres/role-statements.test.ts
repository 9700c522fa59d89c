import { describe, expect, test } from '@jest/globals';
import type { Membership, RoleDescription } from '../../../../src/archive/contents.ts';
import {
  madeBy,
  makingStatements,
  missingFrom,
  settlingStatements,
} from '../../../../src/engines/postgres/role-statements.ts';

const plain: RoleDescription = {
  name: 'app',
  superuser: false,
  inherit: true,
  createRole: false,
  createDatabases: false,
  login: true,
  replication: false,
  bypassRowSecurity: false,
  connectionLimit: -1,
  settings: [],
};
const by = { uid: 'u1', major: 17, superuser: true };
const joins = (role: string, member: string): Membership => ({ role, member, admin: false });

describe('of the roles of an archive', () => {
  test('only those are made that the server lacks, and memberships only where one side is made and both are there', () => {
    const archived = {
      roles: [plain, { ...plain, name: 'there' }],
      memberships: [joins('there', 'app'), joins('there', 'elder'), joins('gone', 'app'), joins('pg_monitor', 'app')],
    };
    const toMake = missingFrom(new Set(['there', 'elder', 'pg_monitor']), archived);
    expect(toMake.roles.map(({ name }) => name)).toEqual(['app']);
    expect(toMake.memberships).toEqual([joins('there', 'app'), joins('pg_monitor', 'app')]);
  });
});

describe('a role as statements', () => {
  const first = (role: Partial<RoleDescription>, more: Partial<typeof by> = {}) =>
    makingStatements({ roles: [{ ...plain, ...role }], memberships: [] }, { ...by, ...more });

  test('has every name and value quoted, whatever is in it', () => {
    const statements = first({
      name: `a"; DROP ROLE b; --`,
      password: `x'; DROP ROLE b; --`,
      settings: [{ name: 'work_mem', value: `1'; --` }],
    });
    expect(statements[0]).toBe(
      `CREATE ROLE "a""; DROP ROLE b; --" INHERIT NOCREATEROLE NOCREATEDB LOGIN CONNECTION LIMIT -1 PASSWORD 'x''; DROP ROLE b; --'`,
    );
    expect(statements[2]).toBe(`ALTER ROLE "a""; DROP ROLE b; --" SET "work_mem" TO '1''; --'`);
  });

  test('asks for no right that the role does not have', () => {
    for (const word of ['SUPERUSER', 'REPLICATION', 'BYPASSRLS']) expect(first({})[0]).not.toContain(word);
    expect(first({ superuser: true, replication: true, bypassRowSecurity: true })[0]).toContain(
      ' SUPERUSER REPLICATION BYPASSRLS ',
    );
  });

  test('keeps the names of a list apart', () => {
    const [, , setting] = first({ settings: [{ name: 'search_path', value: '"$user", public, "A b"' }] });
    expect(setting).toBe(`ALTER ROLE "app" SET "search_path" TO '$user', 'public', 'A b'`);
  });

  test('is joined by a restoring role that is no superuser, in the words of the version', () => {
    expect(first({}, { superuser: false }).at(-1)).toBe('GRANT "app" TO CURRENT_USER WITH INHERIT TRUE, SET TRUE');
    expect(first({}, { superuser: false, major: 15 }).at(-1)).toBe('GRANT "app" TO CURRENT_USER');
  });

  test('is a member with what the membership was good for, as far as the server knows it', () => {
    const grant = (major: number) =>
      makingStatements(
        { roles: [], memberships: [{ role: 'team', member: 'app', admin: true, inherit: false, set: true }] },
        { ...by, major },
      );
    expect(grant(17)).toEqual(['GRANT "team" TO "app" WITH ADMIN TRUE, INHERIT FALSE, SET TRUE']);
    expect(grant(15)).toEqual(['GRANT "team" TO "app" WITH ADMIN OPTION']);
  });

  test('bears the mark of its restore until it goes live, and then its own comment', () => {
    expect(first({})[1]).toBe(`COMMENT ON ROLE "app" IS 'holdfast-made-by: u1'`);
    expect(madeBy('holdfast-made-by: u1')).toBe('u1');
    expect(madeBy('somebody’s')).toBeUndefined();
    expect(madeBy(null)).toBeUndefined();
    expect(settlingStatements({ roles: [plain, { ...plain, comment: "it's" }], memberships: [] })).toEqual([
      'COMMENT ON ROLE "app" IS NULL',
      `COMMENT ON ROLE "app" IS 'it''s'`,
    ]);
  });
});
