/**
 * What roles are members of, made what it was in the archive. From 16 on several may have made a role a member of another,
 * each of whom takes away his own only; and what somebody gave by a right of his own goes before that right does. Pure.
 */
import type { Membership } from '../../archive/contents.ts';
import type { Failure } from '../../lib/errors.ts';
import type { ServerFacts } from '../engine.ts';
import { grantStatement } from './role-statements.ts';
import { identifier } from './sql.ts';

/** One row of pg_auth_members. */
export interface RoleGrant extends Membership {
  /** Undefined before 16, where it does not count. */
  readonly grantor: string | undefined;
  /** Whether we have the rights of the grantor. */
  readonly mayRevoke: boolean;
  /** Whether the grantor is a superuser. */
  readonly bySuperuser: boolean;
}

export interface MembershipRequest {
  readonly archived: Pick<ServerFacts, 'roles' | 'memberships'>;
  /** All of the server. */
  readonly grants: readonly RoleGrant[];
  /** Roles that are there. */
  readonly known: ReadonlySet<string>;
  /** Of these, those that may be touched. Of a role: what it is a member of. Whom others made a member of it is theirs. */
  readonly names: ReadonlySet<string>;
  readonly self: string;
  readonly major: number;
}

const OPTIONS = ['admin', 'inherit', 'set'] as const;
type Option = (typeof OPTIONS)[number];

/** What of a grant goes: all of it, or single options. */
type Taking = 'all' | readonly Option[];

export function membershipChanges(request: MembershipRequest): {
  readonly statements: readonly string[];
  readonly refusals: readonly Failure[];
} {
  const { grants, names, major } = request;
  const wanted = wantedOf(request);
  const takings = new Map<RoleGrant, Taking>();
  for (const grant of grants) {
    if (!names.has(grant.member)) continue;
    const wish = wanted.find(isSamePair(grant));
    const excess = OPTIONS.filter((option) => grant[option] === true && wish?.[option] === false);
    if (wish === undefined) takings.set(grant, 'all');
    else if (excess.length > 0) takings.set(grant, excess);
  }
  const strangers = addWhatDepends(request, takings);
  const left = grants.flatMap((grant) => remainder(grant, takings.get(grant)));
  return {
    statements: [
      ...inOrder(takings).flatMap((grant) => takingStatements(grant, takings.get(grant) ?? 'all')),
      ...wanted.filter((one) => !isGiven(one, left)).map((one) => grantStatement(one, major)),
    ],
    refusals: [
      ...[...takings.keys()].filter(({ mayRevoke }) => !mayRevoke).map((grant) => notOurs(grant, request.self)),
      ...strangers.map(dependsOnIt),
    ],
  };
}

/** What is not as it should be, in words; none when all was done. */
export function membershipsLeft(request: MembershipRequest): readonly string[] {
  const wanted = wantedOf(request);
  const there = request.grants.filter(({ member }) => request.names.has(member));
  const excess = there.filter((grant) => {
    const wish = wanted.find(isSamePair(grant));
    return OPTIONS.some((option) => grant[option] === true && wish?.[option] !== true) || wish === undefined;
  });
  return [
    ...excess.map(({ role, member, grantor }) => `"${member}" is a member of "${role}"${by(grantor)}`),
    ...wanted
      .filter((one) => !isGiven(one, there))
      .map(({ role, member }) => `"${member}" is not a member of "${role}" as it was`),
  ];
}

/** Before 16 it was the member's own attribute whether it has the rights without becoming the other role. */
function wantedOf({ archived, known, names, major }: MembershipRequest): readonly Membership[] {
  const inherits = new Map(archived.roles.map(({ name, inherit }) => [name, inherit]));
  return archived.memberships
    .filter(({ role, member }) => names.has(member) && (known.has(role) || role.startsWith('pg_')))
    .map((one) => {
      if (major < 16) return { role: one.role, member: one.member, admin: one.admin };
      return { ...one, inherit: one.inherit ?? inherits.get(one.member) ?? true, set: one.set ?? true };
    });
}

const isSamePair = (a: Pick<Membership, 'role' | 'member'>) => (b: Pick<Membership, 'role' | 'member'>) =>
  a.role === b.role && a.member === b.member;

/** What any of them gives counts. */
function isGiven(wish: Membership, grants: readonly Membership[]): boolean {
  const found = grants.filter(isSamePair(wish));
  return (
    found.length > 0 && OPTIONS.every((option) => wish[option] !== true || found.some((one) => one[option] === true))
  );
}

function remainder(grant: RoleGrant, taking: Taking | undefined): readonly RoleGrant[] {
  if (taking === undefined) return [grant];
  return taking === 'all' ? [] : [{ ...grant, ...Object.fromEntries(taking.map((option) => [option, false])) }];
}

const givesBy = ({ role, member }: Membership, other: RoleGrant) => other.role === role && other.grantor === member;

/** Who may not give a role any more, has given it to nobody. Returns those to whom we do not give it anew. */
function addWhatDepends({ grants, names }: MembershipRequest, takings: Map<RoleGrant, Taking>): readonly RoleGrant[] {
  const strangers = new Set<RoleGrant>();
  for (;;) {
    const left = grants.flatMap((one) => remainder(one, takings.get(one))).filter(({ admin }) => admin);
    const losing = [...takings.keys()].filter((one) => one.admin && !left.some(isSamePair(one)));
    const open = (one: RoleGrant) => takings.get(one) !== 'all' && !strangers.has(one);
    const depending = grants.filter((one) => open(one) && losing.some((grant) => givesBy(grant, one)));
    if (depending.length === 0) return [...strangers];
    for (const one of depending) {
      if (names.has(one.member)) takings.set(one, 'all');
      else strangers.add(one);
    }
  }
}

/** What depends goes first. */
function inOrder(takings: ReadonlyMap<RoleGrant, Taking>): readonly RoleGrant[] {
  const done = new Set<RoleGrant>();
  const seen = new Set<RoleGrant>();
  const visit = (grant: RoleGrant) => {
    if (seen.has(grant)) return;
    seen.add(grant);
    if (grant.admin) for (const other of takings.keys()) if (givesBy(grant, other)) visit(other);
    done.add(grant);
  };
  for (const grant of takings.keys()) visit(grant);
  return [...done];
}

function takingStatements({ role, member, grantor }: RoleGrant, taking: Taking): readonly string[] {
  const pair = `${identifier(role)} FROM ${identifier(member)}`;
  const whose = grantor === undefined ? '' : ` GRANTED BY ${identifier(grantor)}`;
  if (taking === 'all') return [`REVOKE ${pair}${whose}`];
  return taking.map((option) => `REVOKE ${option.toUpperCase()} OPTION FOR ${pair}${whose}`);
}

const by = (grantor: string | undefined) => (grantor === undefined ? '' : `, by "${grantor}"`);

function notOurs(grant: RoleGrant, self: string): Failure {
  const { role, member, grantor = '', bySuperuser } = grant;
  const [statement] = takingStatements(grant, 'all');
  return {
    reason: 'RightMissing',
    message: `role "${self}" may not take away what "${member}" has of "${role}" beyond the archive: "${grantor}" gave it, whose rights it has not`,
    hint: bySuperuser
      ? `as a superuser: ${statement};`
      : `GRANT ${identifier(grantor)} TO ${identifier(self)} WITH INHERIT TRUE; or beforehand: ${statement};`,
  };
}

function dependsOnIt(grant: RoleGrant): Failure {
  const { role, member, grantor = '' } = grant;
  return {
    reason: 'RolesFailed',
    message: `in the archive "${grantor}" may not make others members of "${role}", and on the server it made "${member}" one, which the archive does not change`,
    hint: `${takingStatements(grant, 'all')}; and, where it is to stay a member, GRANT ${identifier(role)} TO ${identifier(member)};`,
  };
}
