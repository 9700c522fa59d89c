import { describe, expect, test } from '@jest/globals';
import type { Membership, RoleDescription } from '../../../../src/archive/contents.ts';
import {
  type MembershipRequest,
  membershipChanges,
  membershipsLeft,
  type RoleGrant,
} from '../../../../src/engines/postgres/membership-changes.ts';

const wants = (member: string, over: Partial<Membership> = {}): Membership => ({
  ...{ role: 'team', member, admin: false, inherit: true, set: true },
  ...over,
});
const gave = (grantor: string | undefined, member: string, over: Partial<RoleGrant> = {}): RoleGrant => ({
  ...wants(member),
  ...{ grantor, mayRevoke: true, bySuperuser: false },
  ...over,
});

function changes(
  memberships: readonly Membership[],
  grants: readonly RoleGrant[],
  over: Partial<MembershipRequest> = {},
) {
  const request = {
    archived: { roles: [], memberships: [...memberships] },
    grants,
    known: new Set(['team', 'ada', 'bea', 'cy', 'stranger']),
    names: new Set(['team', 'ada', 'bea', 'cy']),
    self: 'restorer',
    major: 17,
    ...over,
  };
  return { ...membershipChanges(request), left: membershipsLeft(request) };
}

describe('what a role is a member of', () => {
  test('is nobody’s business where it is as it was, whoever gave it', () => {
    const grants = [
      gave('boss', 'ada', { set: false }),
      gave('postgres', 'ada', { inherit: false }),
      gave('x', 'stranger'),
    ];
    expect(changes([wants('ada')], grants)).toEqual({ statements: [], refusals: [], left: [] });
  });

  test('is taken away from each who gave it, and what depends goes first', () => {
    const grants = [
      gave('postgres', 'ada', { admin: true }),
      gave('ada', 'bea', { admin: true }),
      gave('bea', 'cy'),
      gave('postgres', 'cy'),
    ];
    expect(changes([], grants).statements).toEqual([
      'REVOKE "team" FROM "cy" GRANTED BY "bea"',
      'REVOKE "team" FROM "bea" GRANTED BY "ada"',
      'REVOKE "team" FROM "ada" GRANTED BY "postgres"',
      'REVOKE "team" FROM "cy" GRANTED BY "postgres"',
    ]);
  });

  test('loses the options that are too many, of those only who gave them, and what was given by them is given anew', () => {
    const grants = [gave('postgres', 'ada', { admin: true }), gave('boss', 'ada', { admin: true }), gave('ada', 'bea')];
    expect(changes([wants('ada'), wants('bea')], grants)).toMatchObject({
      statements: [
        'REVOKE "team" FROM "bea" GRANTED BY "ada"',
        'REVOKE ADMIN OPTION FOR "team" FROM "ada" GRANTED BY "postgres"',
        'REVOKE ADMIN OPTION FOR "team" FROM "ada" GRANTED BY "boss"',
        'GRANT "team" TO "bea" WITH ADMIN FALSE, INHERIT TRUE, SET TRUE',
      ],
      left: ['"ada" is a member of "team", by "postgres"', '"ada" is a member of "team", by "boss"'],
    });
  });

  test('keeps the right to give as long as one is left who gave it, and with it what was given', () => {
    const ada = wants('ada', { admin: true, inherit: false });
    const grants = [gave('postgres', 'ada', { admin: true }), gave('ada', 'bea'), gave('ada', 'stranger')];
    expect(changes([ada, wants('bea')], grants)).toMatchObject({
      statements: ['REVOKE INHERIT OPTION FOR "team" FROM "ada" GRANTED BY "postgres"'],
      refusals: [],
    });
  });

  test('of whom a chain hangs is told to its end', () => {
    const grants = [
      gave('postgres', 'ada', { admin: true }),
      gave('ada', 'bea', { admin: true, inherit: false }),
      gave('bea', 'cy', { admin: true }),
      gave('cy', 'stranger'),
    ];
    const wanted = [wants('ada'), wants('bea', { set: false }), wants('cy', { admin: true })];
    expect(changes(wanted, grants)).toMatchObject({
      statements: [
        'REVOKE "team" FROM "cy" GRANTED BY "bea"',
        'REVOKE "team" FROM "bea" GRANTED BY "ada"',
        'REVOKE ADMIN OPTION FOR "team" FROM "ada" GRANTED BY "postgres"',
        'GRANT "team" TO "bea" WITH ADMIN FALSE, INHERIT TRUE, SET FALSE',
        'GRANT "team" TO "cy" WITH ADMIN TRUE, INHERIT TRUE, SET TRUE',
      ],
      refusals: [{ message: expect.stringContaining('"stranger"') }],
    });
  });

  test('is refused where it hangs on somebody whom we do not change, or was given by one whose rights we have not', () => {
    const grants = [
      gave('postgres', 'ada', { admin: true, mayRevoke: false, bySuperuser: true }),
      gave('ada', 'stranger'),
      gave('boss', 'bea', { mayRevoke: false }),
    ];
    expect(changes([], grants).refusals).toMatchObject([
      { reason: 'RightMissing', hint: 'as a superuser: REVOKE "team" FROM "ada" GRANTED BY "postgres";' },
      {
        reason: 'RightMissing',
        message: expect.stringContaining('what "bea" has of "team" beyond the archive: "boss"'),
      },
      { reason: 'RolesFailed', message: expect.stringContaining('it made "stranger" one') },
    ]);
  });

  test('of an archive from before 16 says by the member itself whether it has the rights of the other', () => {
    const { inherit: _, set: __, ...old } = wants('ada');
    const roles = [{ name: 'ada', inherit: false }] as unknown as RoleDescription[];
    const archived = { roles, memberships: [old] };
    const statements = (grants: readonly RoleGrant[]) => changes([], grants, { archived }).statements;
    expect(statements([])).toEqual(['GRANT "team" TO "ada" WITH ADMIN FALSE, INHERIT FALSE, SET TRUE']);
    expect(statements([gave('boss', 'ada', { inherit: false })])).toEqual([]);
    expect(statements([gave('boss', 'ada')])).toEqual([
      'REVOKE INHERIT OPTION FOR "team" FROM "ada" GRANTED BY "boss"',
    ]);
  });

  test('before 16 has one giver, who does not count', () => {
    const older = (grant: Partial<Membership>): RoleGrant => {
      const { inherit: _, set: __, ...old } = gave(undefined, 'ada', grant);
      return old;
    };
    const major = { major: 15 };
    expect(changes([], [older({})], major).statements).toEqual(['REVOKE "team" FROM "ada"']);
    expect(changes([wants('ada')], [older({ admin: true })], major).statements).toEqual([
      'REVOKE ADMIN OPTION FOR "team" FROM "ada"',
    ]);
    expect(changes([wants('ada', { admin: true })], [older({})], major).statements).toEqual([
      'GRANT "team" TO "ada" WITH ADMIN OPTION',
    ]);
  });
});
