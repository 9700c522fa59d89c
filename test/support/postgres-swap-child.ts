/** A process that swaps and, before one statement of the swap, gets a signal: SIGKILL to be gone, SIGSTOP to be paused. */
import { text } from 'node:stream/consumers';
import type { DatabaseAccess } from '../../src/api/task.ts';
import type { Login, TargetRequest } from '../../src/engines/engine.ts';
import { openTarget } from '../../src/engines/postgres/target.ts';

export interface ChildOrder {
  readonly access: DatabaseAccess;
  readonly login: Login;
  readonly request: TargetRequest;
  readonly temporary: string;
  /** RFC 3339. */
  readonly fence: string;
  /** Counted from 0; beyond the last one nothing happens. */
  readonly statement: number;
  readonly signal: 'SIGKILL' | 'SIGSTOP';
}

const order = JSON.parse(await text(process.stdin)) as ChildOrder;
let statements = 0;
const target = await openTarget(
  order.access,
  order.login,
  order.request,
  { temporary: order.temporary, signal: new AbortController().signal },
  {
    now: () => new Date(),
    before: async (statement) => {
      console.log(statement.split(/[ ;]/, 3).join(' '));
      if (statements === order.statement) {
        process.kill(process.pid, order.signal);
        // The signal comes a moment after the call that sends it.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      statements += 1;
    },
  },
);
try {
  await target.swap(new Date(order.fence));
  console.log('swapped');
} catch (caught) {
  console.log((caught as { reason?: string }).reason ?? String(caught));
} finally {
  await target[Symbol.asyncDispose]();
}
