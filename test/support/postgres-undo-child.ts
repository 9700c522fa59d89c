/** A process that undoes a restore and gets a signal before one statement of the swap; see postgres-swap-child.ts. */
import { text } from 'node:stream/consumers';
import type { ServerAccess } from '../../src/api/task.ts';
import type { Login, UndoRequest } from '../../src/engines/engine.ts';
import { openUndo } from '../../src/engines/postgres/undo.ts';
import { interruptedBy, type SwapInterruption } from './postgres-swap-seams.ts';

export interface UndoChildOrder extends SwapInterruption {
  readonly access: ServerAccess;
  readonly login: Login;
  readonly request: UndoRequest;
  readonly temporary: string;
  /** RFC 3339. */
  readonly fence: string;
}

const order = JSON.parse(await text(process.stdin)) as UndoChildOrder;
const target = await openUndo(
  order.access,
  order.login,
  order.request,
  { temporary: order.temporary, signal: new AbortController().signal },
  interruptedBy(order, (statement) => console.log(statement.split(/[ ;]/, 3).join(' '))),
);
try {
  await target.swap(new Date(order.fence));
  console.log('swapped');
} catch (caught) {
  console.log((caught as { reason?: string }).reason ?? String(caught));
} finally {
  await target[Symbol.asyncDispose]();
}
