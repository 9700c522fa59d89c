/**
 * Whether trying the same thing again can help.
 *
 * - `retry`: the world may heal by itself (a Secret is still missing, the host does not answer). Nothing was changed yet.
 * - `final`: the same attempt would fail the same way, or something was begun that must not be repeated blindly.
 */
export type Outlook = 'retry' | 'final';

/** What a person and a condition are told of a failure. Never holds a secret. */
export interface Failure {
  /** PascalCase word for `reason` of a condition and of an event. */
  readonly reason: string;
  /** What happened, in one sentence, with the cause. */
  readonly message: string;
  /** What to do next. */
  readonly hint?: string;
}

/** The one error of ours that carries a reason, a next step and an outlook. Everything unknown becomes one at the boundary, by {@link toHoldfastError}. */
export class HoldfastError extends Error {
  readonly reason: string;
  readonly hint: string | undefined;
  readonly outlook: Outlook;

  constructor(reason: string, message: string, options: { hint?: string; outlook?: Outlook; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoldfastError';
    this.reason = reason;
    this.hint = options.hint;
    this.outlook = options.outlook ?? 'final';
  }

  toFailure(): Failure {
    return { reason: this.reason, message: this.message, ...(this.hint === undefined ? {} : { hint: this.hint }) };
  }
}

/** A failure that may heal: see {@link Outlook}. */
export function notReady(reason: string, message: string, hint?: string, cause?: unknown): HoldfastError {
  return new HoldfastError(reason, message, { outlook: 'retry', cause, ...(hint === undefined ? {} : { hint }) });
}

/** Anything caught, as a {@link HoldfastError}; ours pass unchanged, the rest become final `InternalError`s. */
export function toHoldfastError(caught: unknown, reason = 'InternalError'): HoldfastError {
  if (caught instanceof HoldfastError) return caught;
  return new HoldfastError(reason, messageOf(caught), { cause: caught });
}

/** The message of anything thrown, on one line. */
export function messageOf(caught: unknown): string {
  const text = caught instanceof Error ? caught.message || caught.name : String(caught);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
