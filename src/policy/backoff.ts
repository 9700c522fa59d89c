/**
 * How often one that waits for a database looks again. The end of the other operation is an event and wakes it; this is
 * for a holder that was deleted, of which nothing is left to send one.
 */
export const BUSY_POLL = 15_000;

/** Shortest pause between two attempts: long enough not to flood an API server with Jobs, short enough for a person who waits. */
const SHORTEST = 10_000;

/** Longest pause: what was mended is noticed within it. */
const LONGEST = 120_000;

/**
 * Pause in milliseconds before the next attempt, when attempts have failed since `since`: half the time that it has been
 * failing, within bounds. Attempts so come at 1.5 times the distance of the last, and nothing needs to be counted or kept.
 */
export function backoff(since: Date, lastAttempt: Date): number {
  const failing = lastAttempt.getTime() - since.getTime();
  return Math.min(LONGEST, Math.max(SHORTEST, failing / 2));
}
