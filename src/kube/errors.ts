import { HoldfastError } from '../lib/errors.ts';

/** HTTP status 0: there was no answer (refused, reset, timed out, not understood). The request may have been carried out. */
export const NO_ANSWER = 0;

/**
 * What the API server, or the way to it, answered.
 *
 * `status` and `kubeReason` are the answer's own (`409`, `AlreadyExists`); the inherited `reason` is the PascalCase word
 * for a condition. The outlook is `retry` for what passes by itself: no answer, 429, 5xx, a conflict, an expired token.
 */
export class KubeError extends HoldfastError {
  readonly status: number;
  readonly kubeReason: string;
  /** Milliseconds that the server asks us to wait. */
  readonly retryAfter: number | undefined;

  constructor(
    request: string,
    answer: { status: number; reason?: string; message: string; retryAfter?: number; cause?: unknown },
  ) {
    const reason = answer.reason ?? (answer.status === NO_ANSWER ? 'NoAnswer' : `Status${answer.status}`);
    super(reason, `${request}: ${answer.message}`, {
      outlook: passes(answer.status, reason) ? 'retry' : 'final',
      ...(answer.cause === undefined ? {} : { cause: answer.cause }),
    });
    this.name = 'KubeError';
    this.status = answer.status;
    this.kubeReason = reason;
    this.retryAfter = answer.retryAfter;
  }
}

function passes(status: number, reason: string): boolean {
  if (status === 409) return reason !== 'AlreadyExists';
  return status === NO_ANSWER || status === 401 || status === 429 || status >= 500;
}

const is =
  (status: number, reason?: string) =>
  (caught: unknown): caught is KubeError =>
    caught instanceof KubeError && caught.status === status && (reason === undefined || caught.kubeReason === reason);

export const isNotFound = is(404);
export const isAlreadyExists = is(409, 'AlreadyExists');
/** A precondition (uid or resourceVersion) did not hold: what was read is stale. */
export const isConflict = is(409, 'Conflict');
export const isForbidden = is(403);
/** The history that was asked for is compacted: only a new list helps. */
export const isGone = is(410);
