import { setTimeout as sleep } from 'node:timers/promises';

/** How long one request is tried again before its failure counts. */
export interface Patience {
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
}

/** Some 80 seconds: a store that restarts, or that answers every third request with 503, must not cost an hour's upload. */
export const PATIENT: Patience = { attempts: 12, firstDelayMs: 200, longestDelayMs: 15_000 };

/** A few seconds: before anything was begun, the Job ends and the operator tries again later, with the reason in sight. */
export const BRISK: Patience = { attempts: 4, firstDelayMs: 200, longestDelayMs: 1_000 };

/** Runs `work` until it succeeds, fails for good, or the patience is at its end; then with its last error. */
export async function retrying<T>(
  work: (attempt: number) => Promise<T>,
  options: {
    readonly patience: Patience;
    readonly canHeal: (caught: unknown) => boolean;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    options.signal?.throwIfAborted();
    try {
      return await work(attempt);
    } catch (caught) {
      options.signal?.throwIfAborted();
      if (attempt >= options.patience.attempts || !options.canHeal(caught)) throw caught;
      await pause(delayBefore(attempt, options.patience), options.signal);
    }
  }
}

/** Doubles up to the longest, and is spread over its upper half, so that many clients of a store that recovers do not come back at once. */
export function delayBefore(retry: number, patience: Patience, random: () => number = Math.random): number {
  const delay = Math.min(patience.firstDelayMs * 2 ** (retry - 1), patience.longestDelayMs);
  return delay * (0.5 + random() / 2);
}

export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (caught) {
    // The sleep's own AbortError says nothing; why the run ends is the signal's reason.
    signal?.throwIfAborted();
    throw caught;
  }
}
