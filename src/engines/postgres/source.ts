import type { Selection } from '../../api/postgresql-selection.ts';
import type { DatabaseAccess, ServerAccess } from '../../api/task.ts';
import type { DatabaseSource, EngineContext, Login, Source } from '../engine.ts';
import { connect } from './connection.ts';
import { dump, readToEnd } from './dump.ts';
import { attempting, connectFault } from './faults.ts';
import type { Hold } from './hold.ts';
import { type Means, openMeans } from './means.ts';
import { listTables } from './objects.ts';
import { argumentsForPartitions } from './partitions.ts';
import { describeDatabase } from './properties.ts';
import { publicSchemaOwner } from './public-schema.ts';
import { refuseUnreadable } from './read-rights.ts';
import { type Part, partOf } from './selection.ts';
import { sessionName } from './session-name.ts';
import { sessionOptions } from './settings.ts';

export function openSource(
  database: DatabaseAccess,
  login: Login,
  context: EngineContext,
  selection?: Selection,
): Promise<Source> {
  return attempting('opening the source', context.signal, () => open(database, login, context, selection));
}

async function open(
  database: DatabaseAccess,
  login: Login,
  context: EngineContext,
  selection: Selection | undefined,
): Promise<Source> {
  await using stack = new AsyncDisposableStack();
  const means = stack.use(await openForDump(database, database.database, login, context));
  const { held } = means;
  const source = await databaseSource(means, database.database, selection);
  if (source === undefined) throw connectFault({ code: '3D000' }, held.endpoint(database.database));
  const owned = stack.move();
  return { server: held.session.server, ...source, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export function openForDump(
  server: ServerAccess,
  database: string,
  login: Login,
  context: EngineContext,
): Promise<Means & AsyncDisposable> {
  const name = sessionName('backup', context.run);
  return openMeans({ server, database, login, context, sessionName: name, options: sessionOptions });
}

/** Undefined where there is no such database. */
export async function databaseSource(
  { held, tools, programs }: Means,
  database: string,
  selection?: Selection,
): Promise<DatabaseSource | undefined> {
  const { session, signal } = held;
  const facts = await describeDatabase(session, database);
  if (facts === undefined) return undefined;
  const { part, args, publicOwner } = await lookInside(held, database, selection);
  return {
    tool: tools.version,
    properties: { ...facts.properties, ...(publicOwner === undefined ? {} : { publicSchemaOwner: publicOwner }) },
    tables: part.tables,
    dump: () => dump({ database, tools, libpq: programs, session, signal, args }),
    readToEnd: () => readToEnd(tools, programs, signal),
  };
}

/** Also shows, before the run counts as begun, that the role gets into the database. */
async function lookInside(held: Hold, database: string, selection: Selection | undefined) {
  await using inside = await connect(held.endpoint(database), held.signal);
  const part: Part =
    selection === undefined
      ? { tables: await listTables(inside), args: [], left: [], rowless: [] }
      : await partOf(inside, selection);
  await refuseUnreadable(inside, part.left, part.rowless);
  return {
    part,
    args: [...(await argumentsForPartitions(inside)), ...part.args],
    publicOwner: await publicSchemaOwner(inside),
  };
}
