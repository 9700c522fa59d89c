/** A process that puts a whole server's databases live and, before one statement of the swap, is killed. */
import { text } from 'node:stream/consumers';
import type { ServerAccess } from '../../src/api/task.ts';
import type { InstanceRequest, Login } from '../../src/engines/engine.ts';
import { openInstanceTarget } from '../../src/engines/postgres/instance-target.ts';
import { interruptedBy, type SwapInterruption } from './postgres-swap-seams.ts';

export interface InstanceChildOrder extends Pick<SwapInterruption, 'statement'> {
  readonly access: ServerAccess;
  readonly login: Login;
  readonly request: InstanceRequest;
  readonly temporary: string;
  /** RFC 3339. */
  readonly fence: string;
}

const order = JSON.parse(await text(process.stdin)) as InstanceChildOrder;
let statements = 0;
const target = await openInstanceTarget(
  order.access,
  order.login,
  order.request,
  { temporary: order.temporary, signal: new AbortController().signal },
  interruptedBy({ ...order, signal: 'SIGKILL' }, () => {
    statements += 1;
  }),
);
await target.swap(new Date(order.fence));
console.log(`swapped after ${statements} statements`);
await target[Symbol.asyncDispose]();
