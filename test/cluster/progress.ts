/** What a person at the terminal sees while something takes its time. Everything goes to stderr. */

/** Slower than this and people begin to wonder whether it hangs. */
const HEARTBEAT_MS = 15_000;

/** Work that ends sooner than this is not worth a closing line. */
const WORTH_A_CLOSING_LINE_MS = 3_000;

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * Runs `work` and tells how it goes: a line before, one every fifteen seconds, one at the end.
 * `usually` is what a person should expect, such as "10 to 20 minutes, once".
 */
export async function telling<T>(what: string, usually: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const elapsed = () => `${Math.round((performance.now() - started) / 1000)} s`;
  say(`${what} (usually ${usually})`);
  const heartbeat = setInterval(() => say(`  still at it after ${elapsed()}: ${what}`), HEARTBEAT_MS);
  try {
    const result = await work();
    if (performance.now() - started > WORTH_A_CLOSING_LINE_MS) say(`  done in ${elapsed()}: ${what}`);
    return result;
  } finally {
    clearInterval(heartbeat);
  }
}
