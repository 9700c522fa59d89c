/** Waits for something that takes no calls of its own: asks again until it is there. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Patience {
  /** Give up after this time. */
  timeoutMs: number;
  /** Ask this often. */
  everyMs?: number;
  /** The whole message when it never came, with the next step. */
  otherwise: () => string;
  /** A reason to stop waiting early, such as a server that has ended. */
  hopeless?: () => boolean;
}

/** Returns once `there` says true. An error of `there` counts as "not yet" and becomes the cause at the end. */
export async function waitFor(there: () => Promise<boolean>, patience: Patience): Promise<void> {
  const deadline = performance.now() + patience.timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      if (await there()) return;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (patience.hopeless?.() || performance.now() > deadline) throw new Error(patience.otherwise(), { cause });
    await sleep(patience.everyMs ?? 100);
  }
}
