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
