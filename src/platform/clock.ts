/** The only place that asks the machine for the time; everything else takes an instant as an argument. */
export function now(): Date {
  return new Date();
}

/**
 * Milliseconds since some fixed point; never set back, and it goes on while the process is stopped. For durations and
 * deadlines of this process only: it means nothing to another one.
 */
export function monotonic(): number {
  return performance.now();
}
