import { text } from 'node:stream/consumers';
import type { EngineContext, Login } from '../../src/engines/engine.ts';
import type { SwapSeams } from '../../src/engines/postgres/swap.ts';

/** What happens to the process before one statement of a swap. */
export interface SwapInterruption {
  /** Counted from 0; beyond the last one nothing happens. */
  readonly statement: number;
  /** SIGKILL to be gone, SIGSTOP to be paused. */
  readonly signal: 'SIGKILL' | 'SIGSTOP';
}

/** Seams that send this very process a signal, and hear each statement before it is sent. */
export function interruptedBy(order: SwapInterruption, hear: (statement: string) => void): SwapSeams {
  let statements = 0;
  return {
    now: () => new Date(),
    before: async (statement) => {
      hear(statement);
      if (statements === order.statement) {
        process.kill(process.pid, order.signal);
        // The signal comes a moment after the call that sends it.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      statements += 1;
    },
  };
}

/** What a process that swaps is told, as JSON on its standard input. */
export interface SwapOrder<Access, Request> extends SwapInterruption {
  readonly access: Access;
  readonly login: Login;
  readonly request: Request;
  readonly temporary: string;
  /** RFC 3339. */
  readonly fence: string;
}

type Open<Access, Request> = (
  access: Access,
  login: Login,
  request: Request,
  context: EngineContext,
  seams: SwapSeams,
) => Promise<AsyncDisposable & { swap(fence: Date): Promise<unknown> }>;

/** Swaps as it is told, and says each statement, and how it ended, on a line of its standard output. */
export async function swapInterrupted<Access, Request>(open: Open<Access, Request>): Promise<void> {
  const order = JSON.parse(await text(process.stdin)) as SwapOrder<Access, Request>;
  const { access, login, request, temporary, fence } = order;
  const context = { temporary, signal: new AbortController().signal };
  const seams = interruptedBy(order, (statement) => console.log(statement.split(/[ ;]/, 3).join(' ')));
  await using target = await open(access, login, request, context, seams);
  try {
    await target.swap(new Date(fence));
    console.log('swapped');
  } catch (caught) {
    console.log((caught as { reason?: string }).reason ?? String(caught));
  }
}
