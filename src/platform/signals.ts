/** Runs `stop` once, on the first SIGTERM or SIGINT. Returns a function that listens no longer. */
export function onTermination(stop: (signal: NodeJS.Signals) => void): () => void {
  const signals = ['SIGTERM', 'SIGINT'] as const;
  const forget = () => {
    for (const signal of signals) process.off(signal, handle);
  };
  const handle = (signal: NodeJS.Signals) => {
    forget();
    stop(signal);
  };
  for (const signal of signals) process.on(signal, handle);
  return forget;
}

/** Runs `report` on the first error that nobody caught, in a callback or in a promise. It must end the process. */
export function onUncaught(report: (error: unknown) => void): void {
  process.once('uncaughtException', report);
  process.once('unhandledRejection', report);
}
