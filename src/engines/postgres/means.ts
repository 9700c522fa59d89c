import type { ServerAccess } from '../../api/task.ts';
import type { EngineContext, Login } from '../engine.ts';
import { type Hold, hold } from './hold.ts';
import { type Libpq, libpq } from './libpq.ts';
import { findTools, type Tools } from './tools.ts';

/** What work on a server is done with: its locks, the programs of its version, and how those connect. */
export interface Means {
  readonly held: Hold;
  readonly tools: Tools;
  readonly programs: Libpq;
}

export async function openMeans(work: {
  readonly server: ServerAccess;
  /** That the programs connect to where they are not told another one. */
  readonly database: string;
  readonly login: Login;
  readonly sessionName: string;
  readonly context: EngineContext;
  /** Settings for the sessions of the programs. */
  readonly options: (held: Hold) => readonly string[];
}): Promise<Means & AsyncDisposable> {
  const { server, database, login, sessionName, context, options } = work;
  await using stack = new AsyncDisposableStack();
  const held = stack.use(await hold(server, login, sessionName, context));
  const tools = await findTools(held.session.server.major);
  const programs = stack.use(await libpq(held.endpoint(database), context.temporary, options(held)));
  const owned = stack.move();
  return { held, tools, programs, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
