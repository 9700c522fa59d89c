/** A process that swaps and, before one statement of the swap, gets a signal: SIGKILL to be gone, SIGSTOP to be paused. */
import { text } from 'node:stream/consumers';
import type { DatabaseAccess } from '../../src/api/task.ts';
import type { Login, TargetRequest } from '../../src/engines/engine.ts';
import { openTarget } from '../../src/engines/postgres/target.ts';
import { interruptedBy, type SwapInterruption } from './postgres-swap-seams.ts';

export interface ChildOrder extends SwapInterruption {
  readonly access: DatabaseAccess;
  readonly login: Login;
  readonly request: TargetRequest;
  readonly temporary: string;
  /** RFC 3339. */
  readonly fence: string;
}

const order = JSON.parse(await text(process.stdin)) as ChildOrder;
const target = await openTarget(
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
