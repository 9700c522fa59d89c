import type { DatabaseAccess } from '../../api/task.ts';
import type { EngineContext, Login, Source } from '../engine.ts';
import { connect } from './connection.ts';
import { dump, readToEnd } from './dump.ts';
import { attempting, connectFault } from './faults.ts';
import { type Hold, hold } from './hold.ts';
import { libpq } from './libpq.ts';
import { listTables } from './objects.ts';
import { describeDatabase } from './properties.ts';
import { publicSchemaOwner } from './public-schema.ts';
import { sessionName } from './session-name.ts';
import { patienceOptions } from './settings.ts';
import { findTools } from './tools.ts';

export function openSource(database: DatabaseAccess, login: Login, context: EngineContext): Promise<Source> {
  return attempting('opening the source', context.signal, () => open(database, login, context));
}

async function open(database: DatabaseAccess, login: Login, context: EngineContext): Promise<Source> {
  await using stack = new AsyncDisposableStack();
  const held = stack.use(await hold(database, login, sessionName('backup', context.run), context));
  const { session, signal } = held;
  const tools = await findTools(session.server.major);
  const endpoint = held.endpoint(database.database);
  const facts = await describeDatabase(session, database.database);
  if (facts === undefined) throw connectFault({ code: '3D000' }, endpoint);
  const { tables, publicOwner } = await lookInside(held, database.database);
  const access = stack.use(await libpq(endpoint, context.temporary, patienceOptions(session.server.major)));

  const owned = stack.move();
  return {
    server: session.server,
    tool: tools.version,
    properties: { ...facts.properties, ...(publicOwner === undefined ? {} : { publicSchemaOwner: publicOwner }) },
    tables,
    dump: () => dump({ database: database.database, tools, libpq: access, session, signal }),
    readToEnd: () => readToEnd(tools, access, signal),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Also shows, before the run counts as begun, that the role gets into the database. */
async function lookInside(held: Hold, database: string) {
  await using inside = await connect(held.endpoint(database), held.signal);
  return { tables: await listTables(inside), publicOwner: await publicSchemaOwner(inside) };
}
