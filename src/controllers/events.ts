/** Which events a change of status is worth. Pure. */
import type { Condition } from '../api/conditions.ts';
import type { ObjectReference } from '../api/kubernetes.ts';
import type { Failure } from '../lib/errors.ts';

export interface Told {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
  readonly regarding?: ObjectReference;
}

interface Reported {
  readonly conditions?: readonly Condition[];
  readonly failure?: Failure;
}

/** Conditions whose being so is bad news. */
const BAD: Readonly<Record<string, Condition['status']>> = {
  Failed: 'True',
  Stalled: 'True',
  Ready: 'False',
  Forced: 'True',
  Drilled: 'False',
  ScaleContested: 'True',
  PreviousDropped: 'False',
};

/** Good news that somebody may have hoped to be other: nothing was done, and the condition says the way on. */
const UNHOPED: ReadonlySet<string> = new Set(['AlreadyRestored', 'NothingRestored']);

/**
 * An event for each reason that a condition has and had not before, unless `told` has it already. Several conditions of
 * one reason are one event. Bad conditions, and the reason that the status calls a failure, are Warnings.
 */
export function transitions(before: object | undefined, after: object, told: readonly Told[]): Told[] {
  const { conditions: old = [] } = (before ?? {}) as Reported;
  const { conditions = [], failure } = after as Reported;
  const events = new Map<string, Told>();
  for (const { type, status, reason, message } of conditions) {
    const known = old.some((o) => o.type === type && o.status === status && o.reason === reason);
    if (known || told.some((event) => event.reason === reason)) continue;
    const isBad = BAD[type] === status || failure?.reason === reason || UNHOPED.has(reason);
    if (isBad || !events.has(reason)) events.set(reason, { type: isBad ? 'Warning' : 'Normal', reason, note: message });
  }
  return [...events.values()];
}
