import type { Logger } from '../observability/log.ts';

const EVERY_MS = 5_000;

/** Runs `work` and logs how far it is, every few seconds and at its end. */
export async function withProgress<T>(
  log: Logger,
  stage: string,
  facts: () => Record<string, number>,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const seconds = () => Math.round(performance.now() - started) / 1000;
  const timer = setInterval(() => log.info({ stage, ...facts(), seconds: seconds() }, 'progress'), EVERY_MS);
  try {
    const result = await work();
    log.info({ stage, ...facts(), seconds: seconds() }, 'done');
    return result;
  } finally {
    clearInterval(timer);
  }
}
