/** The server of a drill: empty, ours alone, and gone with the pod. What an archive needs is made rather than asked for. */
import type { ServerAccess } from '../../api/task.ts';
import type { DatabaseProperties, InstanceContents } from '../../archive/contents.ts';
import { now } from '../../platform/clock.ts';
import type { EngineContext, Login, Requirements, ThrowawayServer } from '../engine.ts';
import { granteesOf } from './acl.ts';
import { ask } from './ask.ts';
import { census } from './census.ts';
import { connect, type Session } from './connection.ts';
import { dress } from './dress.ts';
import { attempting, sqlStateOf, statementFault } from './faults.ts';
import { load } from './load.ts';
import { type Means, openMeans } from './means.ts';
import { settlePublicSchema } from './public-schema.ts';
import { readRequirements } from './requirements.ts';
import { makingStatements, missingFrom } from './role-statements.ts';
import { createStatement } from './scratch.ts';
import { sessionName } from './session-name.ts';
import { loadOptions } from './settings.ts';
import { identifier, literal } from './sql.ts';

export function openThrowaway(server: ServerAccess, login: Login, context: EngineContext): Promise<ThrowawayServer> {
  return attempting('opening the server of the drill', context.signal, async () => {
    const means = await openMeans({
      ...{ server, database: server.maintenanceDatabase, login, context, options: loadOptions },
      sessionName: sessionName('restore', context.run),
    });
    return { ...throwawayOf(means), [Symbol.asyncDispose]: () => means[Symbol.asyncDispose]() };
  });
}

function throwawayOf({ held, tools, programs }: Means): Omit<ThrowawayServer, keyof AsyncDisposable> {
  const { session, signal } = held;
  const inside = (database: string) => connect(held.endpoint(database), signal);
  return {
    server: session.server,
    readRequirements: () => readRequirements(tools, signal),
    furnish: (needs, archived) =>
      attempting('making roles and tablespaces', signal, () => furnish(session, needs, archived)),
    create: (database, properties) =>
      attempting(`making database "${database}"`, signal, async () => {
        await furnish(session, needsOf(properties));
        const fitting = await fittingLocale(session, properties);
        await create(session, database, fitting.properties);
        if (properties.publicSchemaOwner !== undefined) {
          await using own = await inside(database);
          await settlePublicSchema(own, properties.publicSchemaOwner);
        }
        return fitting.notes;
      }),
    load: (database) => load({ database, tools, libpq: programs, signal }),
    ask: (database, sql, deadline) =>
      attempting('a check', signal, async () => {
        await using own = await inside(database);
        return await ask(own, sql, deadline.getTime() - now().getTime());
      }),
    dress: (database, properties) =>
      attempting(`dressing database "${database}"`, signal, async () => {
        await dress(session, database, properties);
        const { comment } = properties;
        if (comment !== undefined)
          await session.query(`COMMENT ON DATABASE ${identifier(database)} IS ${literal(comment)}`);
      }),
    census: (database) =>
      attempting(`counting the rows of "${database}"`, signal, async () => {
        await using own = await inside(database);
        return await census(own);
      }),
  };
}

/** What a database names beside what is in it. */
function needsOf({ owner, publicSchemaOwner, acl, settings, tablespace }: DatabaseProperties): Requirements {
  return {
    roles: [
      ...[owner, publicSchemaOwner].filter((role) => typeof role === 'string'),
      ...granteesOf(acl ?? []),
      ...settings.flatMap(({ role }) => role ?? []),
    ],
    tablespaces: [tablespace],
  };
}

const NO_ROLES = { roles: [], memberships: [] };

/** Roles of a whole server as they were, and those that nobody described as names only: they own, they do not log in. */
async function furnish(
  session: Session,
  needs: Requirements,
  archived: Pick<InstanceContents, 'roles' | 'memberships'> = NO_ROLES,
): Promise<void> {
  const by = { uid: 'drill', major: session.server.major, superuser: true };
  try {
    for (const statement of makingStatements(missingFrom(await roleNames(session), archived), by)) {
      await session.query(statement);
    }
    const present = await roleNames(session);
    for (const role of new Set(needs.roles.filter((name) => !present.has(name)))) {
      await session.query(`CREATE ROLE ${identifier(role)}`);
    }
    await makeTablespaces(session, needs.tablespaces);
  } catch (caught) {
    throw statementFault(caught, 'making what the archive needs on the server of the drill', 'RolesFailed');
  }
}

async function roleNames(session: Session): Promise<ReadonlySet<string>> {
  const rows = await session.query<{ name: string }>('SELECT rolname AS name FROM pg_roles');
  return new Set(rows.map(({ name }) => name));
}

/** In the folder of the server itself: each by its name, and all on the one disk that a drill has. */
async function makeTablespaces(session: Session, wanted: readonly string[]): Promise<void> {
  const rows = await session.query<{ name: string }>('SELECT spcname AS name FROM pg_tablespace');
  const present = new Set(rows.map(({ name }) => name));
  const missing = wanted.filter((name) => !present.has(name));
  if (missing.length === 0) return;
  await session.query('SET allow_in_place_tablespaces = on');
  for (const name of missing) await session.query(`CREATE TABLESPACE ${identifier(name)} LOCATION ''`);
}

/** A database that every server has is empty on this one, and in the way. */
async function create(session: Session, name: string, properties: DatabaseProperties): Promise<void> {
  try {
    await session.query(`DROP DATABASE IF EXISTS ${identifier(name)}`);
    await session.query(createStatement(name, properties, session.server.major));
    await session.query(`ALTER DATABASE ${identifier(name)} ALLOW_CONNECTIONS true CONNECTION LIMIT -1`);
  } catch (caught) {
    throw statementFault(caught, `making database "${name}" on the server of the drill`, 'ScratchFailed');
  }
}

/**
 * The image of the server may lack the locale that the database had, as a slim one does: rows are the same without it, only
 * their order is not. What is not libc's is the server's own.
 */
async function fittingLocale(
  session: Session,
  properties: DatabaseProperties,
): Promise<{ readonly properties: DatabaseProperties; readonly notes: readonly string[] }> {
  const { collate, ctype, encoding } = properties;
  const wanted = [...new Set([collate, ctype])];
  const missing: string[] = [];
  for (const locale of wanted) if (!(await hasLocale(session, locale))) missing.push(locale);
  if (missing.length === 0) return { properties, notes: [] };
  const other = encoding === 'UTF8' && (await hasLocale(session, 'C.UTF-8')) ? 'C.UTF-8' : 'C';
  const instead = (locale: string) => (missing.includes(locale) ? other : locale);
  return {
    properties: { ...properties, collate: instead(collate), ctype: instead(ctype) },
    notes: [`The image has no locale ${missing.join(' and ')}: the database was made with ${other}.`],
  };
}

/** Whether the system knows it: tried, and rolled back. */
async function hasLocale(session: Session, locale: string): Promise<boolean> {
  await session.query('BEGIN');
  try {
    await session.query(
      `CREATE COLLATION pg_catalog.holdfast_trial (PROVIDER = libc, LC_COLLATE = ${literal(locale)}, LC_CTYPE = ${literal(locale)})`,
    );
    return true;
  } catch (caught) {
    if (sqlStateOf(caught) === undefined) throw caught;
    // Of another encoding than this database's is a locale too.
    return /encoding/.test((caught as Error).message);
  } finally {
    await session.query('ROLLBACK');
  }
}
