/** What backups and restores have in common while they wait. Pure. */
import type { NewLease } from '../api/kubernetes.ts';
import { inKubectl } from '../api/meta.ts';
import type { Failure } from '../lib/errors.ts';
import { BUSY_POLL, backoff } from '../policy/backoff.ts';
import type { Action } from './action.ts';
import { claimOn, type Holder, type LeaseFacts, releaseOf } from './leases.ts';
import type { RunFacts } from './run-facts.ts';

/** As a condition says it, which has no field of its own for the next step. */
export function said(failure: Failure): { reason: string; message: string } {
  const { reason, message, hint } = failure;
  if (hint === undefined) return { reason, message };
  return { reason, message: `${closed(message)}${NEXT}${hint}` };
}

/** Texts one after the other; some are sentences, and some are written to stand alone, or are SQL. */
export function oneAfterTheOther(texts: readonly string[]): string {
  return texts.map((text, index) => (index === texts.length - 1 ? text : closed(text))).join(' ');
}

const closed = (text: string) => (/[.!?:;…]$/.test(text) ? text : `${text}.`);

const NEXT = ' Next: ';

/** The other way round, for a condition of one object that another one waits for. */
export function unsaid({ reason, message }: { readonly reason: string; readonly message: string }): Failure {
  const [head = '', ...hints] = message.split(NEXT);
  return { reason, message: head, ...(hints.length === 0 ? {} : { hint: hints.join(NEXT) }) };
}

/** One database is worked on by one operation at a time; who waits says for whom. */
export function databaseBusy(lock: LeaseFacts | undefined, holder: Holder): Failure | undefined {
  const claim = claimOn(lock, holder);
  if (claim.claim !== 'busy') return undefined;
  const us = holder.kind.toLowerCase();
  return {
    reason: 'DatabaseBusy',
    message: `${claim.lease.holder} is at work on ${claim.lease.elsewhere ?? 'this database'}; this ${us} starts when it is over.`,
    ...stopHint(claim.lease.holder),
  };
}

/** As a Lease names its holder: `Backup shop/nightly`. Anybody may write an annotation. */
const HOLDER = /^(Backup|Restore) ([a-z0-9.-]+)\/([a-z0-9.-]+)$/;

function stopHint(holder: string): { readonly hint?: string } {
  const [, kind, namespace, name] = HOLDER.exec(holder) ?? [];
  if (kind === undefined) return {};
  return { hint: `Wait for it, or stop it: kubectl delete ${inKubectl(kind)} ${name} -n ${namespace}` };
}

/** What takes a lock that is free, held already, or left behind by somebody who is no more. */
export function takeLock(lock: LeaseFacts | undefined, holder: Holder, lease: NewLease): Action[] {
  const claim = claimOn(lock, holder);
  if (claim.claim === 'held') return [];
  const create: Action = { action: 'createLease', lease };
  return claim.claim === 'stale' ? [releaseOf(claim.lease), create] : [create];
}

/** Frees the lock where it is the holder's own. */
export function releaseLock(lock: LeaseFacts | undefined, holder: Holder): Action[] {
  return lock?.holderUid === holder.metadata.uid ? [releaseOf(lock)] : [];
}

/** When the next attempt may start, after one that ended before anything was begun. */
export function retryTime(startTime: string | undefined, run: RunFacts | undefined): Date | undefined {
  if (run?.ended === undefined) return undefined;
  return new Date(run.ended.getTime() + backoff(new Date(startTime ?? run.ended), run.ended));
}

/** Look again at an instant; sooner where a lock is waited for whose holder may vanish without an event. */
export function until(instant: Date, now: Date, waitsFor?: Failure): { requeueAfter?: number } {
  const rest = instant.getTime() - now.getTime();
  if (rest <= 0) return {};
  return { requeueAfter: waitsFor?.reason === 'DatabaseBusy' ? Math.min(rest, BUSY_POLL) : rest };
}

/** Of many attempts the last two are enough to look at: what the others said was in the status. */
export function removeOlder(runs: readonly RunFacts[], namespace: string): Action[] {
  return runs.slice(0, -1).flatMap((run) => deleteRun(run, namespace));
}

export function deleteRun(run: RunFacts, namespace: string): Action[] {
  return run.job === undefined ? [] : [{ action: 'deleteJob', namespace, name: run.name, uid: run.job.uid }];
}
