/** A whole server as the target of a restore: its databases are loaded beside the live ones and go live in one commit. */
import { numberedDatabaseName, previousDatabaseName } from '../../api/names.ts';
import type { ServerAccess } from '../../api/task.ts';
import type { DatabaseContents } from '../../archive/contents.ts';
import { HoldfastError, messageOf } from '../../lib/errors.ts';
import type { EngineContext, InstancePlan, InstanceRequest, InstanceTarget, Login } from '../engine.ts';
import type { Session } from './connection.ts';
import { dropAllPrevious } from './drop.ts';
import { gatherFacts, selfFacts } from './facts.ts';
import { attempting, sqlStateOf, statementFault } from './faults.ts';
import { type InstanceFacts, instancePlanOf, nothingToRestore } from './instance-plan.ts';
import { keptNotes } from './kept-notes.ts';
import { noteLoadedServer } from './loaded.ts';
import { type Means, openMeans } from './means.ts';
import { type MembershipRequest, membershipsLeft } from './membership-changes.ts';
import { changesOfRoles, type RoleChanges } from './role-changes.ts';
import { makingStatements, missingFrom, type RolesToMake, settlingStatements } from './role-statements.ts';
import { describeServer, grantsOfRoles, rolesMadeBy } from './roles.ts';
import { sessionName } from './session-name.ts';
import { loadOptions } from './settings.ts';
import { type SwapPlace, type SwapSeams, swap } from './swap.ts';
import { discardEmpty, NO_SEAMS, planFor, readyPlace, swapBase, targetOf } from './target.ts';
import type { Parts } from './target-parts.ts';

export function openInstanceTarget(
  server: ServerAccess,
  login: Login,
  request: InstanceRequest,
  context: EngineContext,
  seams: SwapSeams = NO_SEAMS,
): Promise<InstanceTarget> {
  return attempting('opening the target server', context.signal, () => open(server, login, request, context, seams));
}

async function open(
  server: ServerAccess,
  login: Login,
  request: InstanceRequest,
  context: EngineContext,
  seams: SwapSeams,
): Promise<InstanceTarget> {
  const means = await openMeans({
    ...{ server, database: server.maintenanceDatabase, login, context, options: loadOptions },
    sessionName: sessionName('restore', request.run),
  });
  const databases = request.contents.databases.filter(({ database }) => database !== server.maintenanceDatabase);
  const names = previousNames(
    databases.map(({ database }) => database),
    request.run,
  );
  const all = databases.map((contents, index): Parts => {
    const { run, onConflict, sourceMajor, privileges, force, begin } = request;
    return {
      ...means,
      access: { ...server, database: contents.database },
      request: {
        run,
        onConflict,
        sourceMajor,
        ...(privileges === undefined ? {} : { privileges }),
        ...(force === undefined ? {} : { force }),
        ...(begin === undefined ? {} : { begin: (program) => begin(contents, program) }),
        contents,
        scratchDatabase: numberedDatabaseName(request.scratchDatabase, index),
        previousDatabase: names[index] ?? '',
      },
      seams,
    };
  });
  const whole = { ...means, server, request, all, databases, seams };
  return { ...instanceOf(whole), [Symbol.asyncDispose]: () => means[Symbol.asyncDispose]() };
}

interface Whole extends Means {
  readonly server: ServerAccess;
  readonly request: InstanceRequest;
  readonly all: readonly Parts[];
  readonly databases: readonly DatabaseContents[];
  readonly seams: SwapSeams;
}

/** Two long names may be the same after they were cut; then the number of the database tells them apart. */
export function previousNames(databases: readonly string[], run: InstanceRequest['run']): readonly string[] {
  const names: string[] = [];
  for (const [index, database] of databases.entries()) {
    const name = previousDatabaseName(database, run);
    names.push(names.includes(name) ? previousDatabaseName(`${index}_${database}`, run) : name);
  }
  return names;
}

function instanceOf(whole: Whole): Omit<InstanceTarget, keyof AsyncDisposable> {
  const { held, databases, request } = whole;
  return {
    databases,
    plan: () => attempting('looking at the target', held.signal, () => plan(whole)),
    makeRoles: () => attempting('making roles', held.signal, () => makeRoles(whole)),
    database: (name) => {
      const parts = whole.all.find(({ access }) => access.database === name);
      if (parts === undefined) throw new Error(`database "${name}" is not restored`);
      return targetOf(parts);
    },
    note: () => attempting('noting what was loaded', held.signal, () => noteLoadedServer(whole.all, request)),
    swap: (fence) => attempting('the swap', held.signal, () => goLive(whole, fence)),
    dropPrevious: () =>
      attempting('dropping the previous databases', held.signal, () => dropAllPrevious(held.session, request.run.uid)),
  };
}

async function plan(whole: Whole): Promise<InstancePlan> {
  const facts = await instanceFacts(whole);
  const rolesToMake = new Set(facts.toMake.roles.map(({ name }) => name));
  const plans = [];
  for (const parts of whole.all) {
    const found = await gatherFacts(whole.held, parts.access.database, parts.request);
    plans.push(await planFor(parts, found, rolesToMake));
  }
  const found = instancePlanOf({ ...facts, ...(await tryRoles(whole, facts)) }, plans, whole.request.contents);
  const kept = found.alreadyRestored ? [] : await keptNotes(whole.held.session);
  return kept.length === 0 ? found : { ...found, notes: [...(found.notes ?? []), ...kept] };
}

/**
 * A setting that this server does not know, a membership that is not ours to give: only the server can tell, so all of it
 * is done and rolled back, and nobody else sees it. Without passwords: of a statement that fails, the server logs the text.
 */
async function tryRoles(
  whole: Whole,
  { toMake, self, met }: ServerFacts,
): Promise<Pick<InstanceFacts, 'rolesProblem' | 'rolesRefused'>> {
  const { held, request } = whole;
  const { session } = held;
  const { roles, memberships } = toMake;
  const replaced = met?.onConflict === 'Replace' ? met.roles : [];
  const { statements, refusals } = await changesOf(whole, replaced, false);
  if ((roles.length === 0 && statements.length === 0) || self.readOnly) return {};
  if (!self.createRoles)
    return statements.length === 0 ? {} : { rolesProblem: `role "${self.name}" may not change roles (CREATEROLE)` };
  if (refusals.length > 0) return { rolesRefused: refusals };
  const tried = { roles: roles.map(({ password: _, ...role }) => role), memberships };
  const by = { uid: request.run.uid, major: session.server.major, superuser: self.superuser };
  await session.query('BEGIN');
  try {
    await session.query([...makingStatements(tried, by), ...statements].join(';\n'));
    const left = membershipsLeft(await membershipsOf(whole, session, replaced));
    return left.length === 0 ? {} : { rolesProblem: `after all that can be said, ${left.join(', ')}` };
  } catch (caught) {
    if (sqlStateOf(caught) === undefined) throw caught;
    return { rolesProblem: messageOf(caught) };
  } finally {
    await session.query('ROLLBACK');
  }
}

interface ServerFacts extends InstanceFacts {
  readonly self: Awaited<ReturnType<typeof selfFacts>>;
}

/** As statements that belong into the transaction of the swap. Without passwords where they are only tried. */
async function changesOf(whole: Whole, roles: readonly string[], passwords: boolean): Promise<RoleChanges> {
  if (roles.length === 0) return { statements: [], refusals: [] };
  const { held, request } = whole;
  const { contents } = request;
  const archived = passwords ? contents.roles : contents.roles.map(({ password: _, ...role }) => role);
  const current = await describeServer(held.session, false);
  return changesOfRoles(current, {
    ...(await membershipsOf(whole, held.session, roles)),
    archived: { ...contents, roles: archived },
  });
}

async function membershipsOf(
  { request: { contents } }: Whole,
  session: Session,
  roles: readonly string[],
): Promise<MembershipRequest> {
  return {
    archived: contents,
    grants: await grantsOfRoles(session),
    known: new Set(await names(session, 'SELECT rolname AS name FROM pg_roles')),
    names: new Set(roles),
    self: (await selfFacts(session)).name,
    major: session.server.major,
  };
}

/** Our own stays, or we would be locked out, and so does the first superuser, without whom nobody can mend anything. */
const UNTOUCHED = 'SELECT rolname AS name FROM pg_roles WHERE oid = 10 OR rolname = current_user';

async function met(
  { held: { session }, request }: Whole,
  present: ReadonlySet<string>,
): Promise<Pick<InstanceFacts, 'met'>> {
  const { rolesOnConflict: onConflict = 'Skip', contents, run } = request;
  if (onConflict === 'Skip') return {};
  const others = new Set([...(await names(session, UNTOUCHED)), ...(await rolesMadeBy(session, run.uid))]);
  const roles = contents.roles.map(({ name }) => name).filter((name) => present.has(name) && !others.has(name));
  return { met: { onConflict, roles } };
}

async function instanceFacts(whole: Whole): Promise<ServerFacts> {
  const { held, server, request, databases } = whole;
  const { session } = held;
  const present = new Set(await names(session, 'SELECT rolname AS name FROM pg_roles'));
  const live = await names(session, 'SELECT datname AS name FROM pg_database WHERE NOT datistemplate ORDER BY 1');
  return {
    server: session.server.version,
    self: await selfFacts(session),
    toMake: missingFrom(present, request.contents),
    ...(await met(whole, present)),
    maintenanceDatabase: server.maintenanceDatabase,
    restored: databases.map(({ database }) => database),
    live,
    tablespaces: new Set(await names(session, 'SELECT spcname AS name FROM pg_tablespace')),
  };
}

async function names(session: Session, query: string): Promise<readonly string[]> {
  return (await session.query<{ name: string }>(query)).map(({ name }) => name);
}

/** In one transaction: all of them are there, or none. */
async function makeRoles(whole: Whole): Promise<void> {
  const { session } = whole.held;
  const { toMake, self } = await instanceFacts(whole);
  if (toMake.roles.length === 0) return;
  const by = { uid: whole.request.run.uid, major: session.server.major, superuser: self.superuser };
  try {
    await session.query(makingStatements(toMake, by).join(';\n'));
  } catch (caught) {
    throw statementFault(caught, 'making the roles that the server lacks', 'RolesFailed');
  }
}

async function goLive(whole: Whole, fence: Date): Promise<{ previousDatabases: readonly string[] }> {
  const { held, request, all, server, seams } = whole;
  const places: SwapPlace[] = [];
  for (const parts of all) places.push(await readyPlace(parts));
  const [first, ...others] = places;
  if (first === undefined) throw nothingToRestore(request.contents, server.maintenanceDatabase);
  const replaced = await rolesReplaced(whole);
  const { statements, refusals } = await changesOf(whole, replaced, true);
  const [refusal] = refusals;
  if (refusal !== undefined) {
    const { reason, message, hint } = refusal;
    throw new HoldfastError(reason, message, hint === undefined ? {} : { hint });
  }
  await swap({
    ...swapBase({ access: { ...server, database: first.database }, held, seams }),
    places: [first, ...others],
    also: [...settlingStatements(await rolesMade(held.session, request)), ...statements],
    settled: async (swapper) => refuseWhatIsLeft(membershipsLeft(await membershipsOf(whole, swapper, replaced))),
    run: request.run,
    fence,
  });
  const previousDatabases: string[] = [];
  for (const { live, previousName } of places) {
    if (live === undefined) continue;
    if (request.onConflict === 'Replace') previousDatabases.push(previousName);
    else {
      const { previousDatabase } = await discardEmpty(held, { run: request.run, previousDatabase: previousName });
      if (previousDatabase !== undefined) previousDatabases.push(previousDatabase);
    }
  }
  return { previousDatabases };
}

async function rolesReplaced(whole: Whole): Promise<readonly string[]> {
  const present = new Set(await names(whole.held.session, 'SELECT rolname AS name FROM pg_roles'));
  const { met: found } = await met(whole, present);
  return found?.onConflict === 'Replace' ? found.roles : [];
}

/** Of a membership that is not there, or was given by another one since we looked, REVOKE only warns. */
function refuseWhatIsLeft(left: readonly string[]): void {
  if (left.length === 0) return;
  throw new HoldfastError('RolesFailed', `roles are not what they are in the archive, after all: ${left.join(', ')}`, {
    hint: 'somebody else changes roles on this server; when they are done, make a new Restore',
  });
}

/** Those of the archive that this very restore made. */
async function rolesMade(session: Session, { run, contents }: InstanceRequest): Promise<RolesToMake> {
  const made = new Set(await rolesMadeBy(session, run.uid));
  return { roles: contents.roles.filter(({ name }) => made.has(name)), memberships: [] };
}
