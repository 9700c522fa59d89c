import { BUSY_POLL } from '../../policy/backoff.ts';
import type { Decision } from '../action.ts';
import { type LeaseFacts, releaseOf } from '../leases.ts';

export interface DatabaseLockFacts {
  readonly lock: LeaseFacts;
}

/**
 * Removes the lock of a holder that is no more: a Backup that was deleted while it ran has no finalizer and frees nothing.
 * Every other lock is freed by its holder, which is over when it does.
 */
export function decide({ lock }: DatabaseLockFacts): Decision {
  // Of a holder that is gone nothing is left to send an event when its last pod ends.
  if (lock.holderAlive) return { actions: [], requeueAfter: BUSY_POLL };
  return { actions: [releaseOf(lock)] };
}
