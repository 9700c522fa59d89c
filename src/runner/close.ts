import type { RunnerContext } from './context.ts';

/** Ends connections and locks; safe to repeat. That they do not end well changes nothing of what was done, so it is a line in the log. */
export async function close(resource: AsyncDisposable, { log }: RunnerContext): Promise<void> {
  try {
    await resource[Symbol.asyncDispose]();
  } catch (error) {
    log.warn({ error }, 'a connection did not close well');
  }
}
