/** What an uninstall has to settle first: no app stays at zero unsaid, and nothing hangs on a finalizer of ours. Pure. */
import { recoveryLine } from '../api/recovery.ts';
import { HoldfastError } from '../lib/errors.ts';

export interface RestoreToSettle {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly finalizers: readonly string[];
  /** A terminal condition stands. */
  readonly over: boolean;
  /** Somebody has deleted it. */
  readonly leaving: boolean;
  /** Our finalizer is on it: its end waits for an operator. */
  readonly guarded: boolean;
  /** Name of the database that it loads into, before it goes live. */
  readonly scratchDatabase: string;
}

/** A workload whose count a restore has taken, as its Lease tells. */
export interface TakenWorkload {
  readonly namespace: string;
  readonly lease: string;
  /** `Deployment/web`. */
  readonly workload: string;
  /** The count to return to; undefined where the Lease does not tell any more. */
  readonly replicas: number | undefined;
  /** UID of the Restore. */
  readonly holder: string;
  /** `Restore shop/first`, for people. */
  readonly holderName: string;
  /** The count that is asked for now; undefined where there is no such workload. */
  readonly current: number | undefined;
  /** Jobs of its Restore that have not come to an end. */
  readonly jobs: readonly string[];
}

export interface SettleFacts {
  readonly restores: readonly RestoreToSettle[];
  readonly taken: readonly TakenWorkload[];
  /** Milliseconds since the start. */
  readonly elapsed: number;
  /** Milliseconds since an operator last renewed its Lease, as seen from here. */
  readonly silence: number;
}

export type SettleStep =
  | { readonly step: 'done' }
  /** An operator is at it. Those in `remove` have to be deleted for it to begin. */
  | {
      readonly step: 'wait';
      readonly remove: readonly RestoreToSettle[];
      readonly waitsFor: readonly RestoreToSettle[];
    }
  /** No operator will let them go, and none of them holds an app at zero. */
  | { readonly step: 'release'; readonly restores: readonly RestoreToSettle[] }
  | { readonly step: 'stop'; readonly failure: HoldfastError };

/** Longer than it takes to elect another operator, or to start one anew: its Lease lasts 15 s. */
export const SILENCE_MS = 40_000;

/** Below the five minutes that Helm waits for a hook: the words of the Job must come before Helm's own. */
export const PATIENCE_MS = 240_000;

export function planSettle(facts: SettleFacts): SettleStep {
  const { restores, silence, elapsed } = facts;
  const late = elapsed >= PATIENCE_MS;
  const remove = restores.filter(({ over, leaving }) => !over && !leaving);
  if (late && remove.length > 0) return { step: 'stop', failure: madeAnew(remove) };
  const guarded = restores.filter((restore) => restore.guarded);
  const asleep = facts.taken.filter(isAsleep);
  const isWorth = silence < SILENCE_MS && !late;
  if (remove.length > 0 || (guarded.length > 0 && isWorth)) return { step: 'wait', remove, waitsFor: guarded };
  const safe = guarded.filter(({ uid }) => !asleep.some(({ holder }) => holder === uid));
  if (safe.length > 0) return { step: 'release', restores: safe };
  return asleep.length === 0 ? { step: 'done' } : { step: 'stop', failure: leftAsleep(asleep, silence < SILENCE_MS) };
}

/** Deleted and there again for as long as we looked: a tool that syncs makes them, and each could take its app to zero. */
function madeAnew(restores: readonly RestoreToSettle[]): HoldfastError {
  const names = restores.map(({ namespace, name }) => `Restore ${namespace}/${name}`).join(', ');
  return new HoldfastError('RestoreMadeAnew', `${names}: not over, and made anew whenever it is deleted.`, {
    hint: 'Pause what makes it (Argo CD, Flux, a pipeline), or remove it there. Then helm uninstall again.',
  });
}

/** A count that is not zero is somebody's wish since; a workload that was at zero before stays there. */
function isAsleep({ current, replicas }: TakenWorkload): boolean {
  return current === 0 && replicas !== 0;
}

function leftAsleep(asleep: readonly TakenWorkload[], isOperatorAlive: boolean): HoldfastError {
  const what = asleep.map(
    ({ workload, namespace, holderName, replicas }) =>
      `${workload} in ${namespace} is at zero: ${holderName} took it there, from ${replicas ?? 'a count that its Lease does not tell any more'}.`,
  );
  const who = isOperatorAlive
    ? `The operator works, but did not bring ${asleep.length === 1 ? 'it' : 'them'} back in time. Try again in a while, or by hand:`
    : 'No operator works that could bring it back. By hand:';
  return new HoldfastError('AppAtZero', what.join('\n'), {
    hint: [who, ...asleep.map((each) => `  ${recoveryLine(each)}`), 'Then helm uninstall again.'].join('\n'),
  });
}
