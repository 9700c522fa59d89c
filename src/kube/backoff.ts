/** Waiting times that double from `base` to `cap` with every failure in a row. */
export interface Backoff {
  readonly base: number;
  readonly cap: number;
}

/**
 * Milliseconds to wait after the `failures`-th failure in a row (1 is the first): between half the exponential time and
 * the whole of it, so that many who failed together do not come back together.
 */
export function backoffTime({ base, cap }: Backoff, failures: number, random: () => number = Math.random): number {
  const whole = Math.min(cap, base * 2 ** Math.min(Math.max(failures, 1) - 1, 30));
  return whole / 2 + (whole / 2) * random();
}
