import { type Logger, pino } from 'pino';
import { messageOf } from '../lib/errors.ts';

export type { Logger };

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on stdout, written before the call returns: the last words of a process that ends are its most wanted ones. */
export function newLogger(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describe },
    },
    pino.destination({ dest: 1, sync: true }),
  );
}

/** An error for the log: what a person needs, with its causes. No request, no header, no object can slip in. */
function describe(error: unknown): object {
  if (!(error instanceof Error)) return { message: messageOf(error) };
  const reason = 'reason' in error && typeof error.reason === 'string' ? { reason: error.reason } : {};
  const cause = error.cause === undefined ? {} : { cause: messageOf(error.cause) };
  return { name: error.name, ...reason, message: error.message, ...cause, stack: error.stack };
}
