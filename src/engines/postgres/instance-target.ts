/** A whole server as the target of a restore: its databases are loaded beside the live ones and go live in one commit. */
import { numberedDatabaseName, previousDatabaseName } from '../../api/names.ts';
import type { ServerAccess } from '../../api/task.ts';
import type { DatabaseContents } from '../../archive/contents.ts';
import { messageOf } from '../../lib/errors.ts';
import type { EngineContext, InstancePlan, InstanceRequest, InstanceTarget, Login } from '../engine.ts';
import type { Session } from './connection.ts';
import { dropAllPrevious } from './drop.ts';
import { gatherFacts, selfFacts } from './facts.ts';
import { attempting, sqlStateOf, statementFault } from './faults.ts';
import { type InstanceFacts, instancePlanOf, nothingToRestore } from './instance-plan.ts';
import { type Means, openMeans } from './means.ts';
import { planOf } from './plan.ts';
import { changingStatements } from './role-changes.ts';
import { makingStatements, missingFrom, type RolesToMake, settlingStatements } from './role-statements.ts';
import { describeServer, rolesMadeBy } from './roles.ts';
import { sessionName } from './session-name.ts';
import { loadOptions } from './settings.ts';
import { type SwapPlace, type SwapSeams, swap } from './swap.ts';
import { discardEmpty, NO_SEAMS, planBase, readyPlace, swapBase, targetOf } from './target.ts';
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
    const { run, onConflict, sourceMajor, privileges, force } = request;
    return {
      ...means,
      access: { ...server, database: contents.database },
      request: {
        run,
        onConflict,
        sourceMajor,
        ...(privileges === undefined ? {} : { privileges }),
        ...(force === undefined ? {} : { force }),
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
    plans.push(planOf({ ...planBase(parts), rolesToMake, facts: found }));
  }
  const rolesProblem = await tryRoles(whole, facts);
  return instancePlanOf(
    { ...facts, ...(rolesProblem === undefined ? {} : { rolesProblem }) },
    plans,
    whole.request.contents,
  );
}

/**
 * A setting that this server does not know, a membership that is not ours to give: only the server can tell, so all of it
 * is done and rolled back, and nobody else sees it. Without passwords: of a statement that fails, the server logs the text.
 */
async function tryRoles(whole: Whole, { toMake, self, met }: ServerFacts) {
  const { held, request } = whole;
  const { session } = held;
  const { roles, memberships } = toMake;
  const changes = met?.onConflict === 'Replace' ? await changesOf(whole, met.roles, false) : [];
  if ((roles.length === 0 && changes.length === 0) || self.readOnly) return undefined;
  if (!self.createRoles)
    return changes.length === 0 ? undefined : `role "${self.name}" may not change roles (CREATEROLE)`;
  const tried = { roles: roles.map(({ password: _, ...role }) => role), memberships };
  const by = { uid: request.run.uid, major: session.server.major, superuser: self.superuser };
  await session.query('BEGIN');
  try {
    await session.query([...makingStatements(tried, by), ...changes].join(';\n'));
    return undefined;
  } catch (caught) {
    if (sqlStateOf(caught) === undefined) throw caught;
    return messageOf(caught);
  } finally {
    await session.query('ROLLBACK');
  }
}

interface ServerFacts extends InstanceFacts {
  readonly self: Awaited<ReturnType<typeof selfFacts>>;
}

/** As statements that belong into the transaction of the swap. Without passwords where they are only tried. */
async function changesOf(
  { held: { session }, request: { contents } }: Whole,
  roles: readonly string[],
  passwords: boolean,
): Promise<readonly string[]> {
  const archived = passwords ? contents.roles : contents.roles.map(({ password: _, ...role }) => role);
  const current = await describeServer(session, false);
  return changingStatements({ ...contents, roles: archived }, current, new Set(roles), session.server.major);
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
  await swap({
    ...swapBase({ access: { ...server, database: first.database }, held, seams }),
    places: [first, ...others],
    also: [...settlingStatements(await rolesMade(held.session, request)), ...(await roleChanges(whole))],
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

async function roleChanges(whole: Whole): Promise<readonly string[]> {
  const present = new Set(await names(whole.held.session, 'SELECT rolname AS name FROM pg_roles'));
  const { met: found } = await met(whole, present);
  return found?.onConflict === 'Replace' ? await changesOf(whole, found.roles, true) : [];
}

/** Those of the archive that this very restore made. */
async function rolesMade(session: Session, { run, contents }: InstanceRequest): Promise<RolesToMake> {
  const made = new Set(await rolesMadeBy(session, run.uid));
  return { roles: contents.roles.filter(({ name }) => made.has(name)), memberships: [] };
}
