/** What is known of a workload that a restore takes to zero. Pure. */
import type { Writer } from '../../api/managers.ts';
import type { Workload } from '../../api/restore.ts';
import type { ScalableKind } from '../../api/workloads.ts';
import type { Failure } from '../../lib/errors.ts';
import type { LeaseFacts } from '../leases.ts';

/** A workload of `spec.scaleDown` as it is now, asked of the API server itself. */
export interface WorkloadFacts {
  readonly workload: Workload;
  /** How the API server names its kind; absent where the admin has not allowed it. */
  readonly resource?: ScalableKind;
  /** Why it cannot be looked at: its kind is not allowed, or the API server refuses us. */
  readonly refused?: Failure;
  /**
   * Why it could not be looked at this time, while this restore has an app at zero: the others must not wait for it. Before
   * that such an error stops the look as a whole.
   */
  readonly unseen?: Failure;
  /** Absent where there is no such workload, or where it cannot be looked at. */
  readonly found?: FoundWorkload;
  readonly lease?: LeaseFacts;
}

export interface FoundWorkload {
  readonly uid: string;
  readonly resourceVersion: string;
  /** The count that is asked for; of a CronJob 0 while it is suspended, else 1. */
  readonly replicas: number;
  /** Pods that its selector finds and that have not come to an end; those being deleted count. */
  readonly pods: readonly string[];
  /** Its scale has no selector, so nobody can tell which pods are its own. */
  readonly nameless?: true;
  /** How many replicas there are, as its own controller counts them. */
  readonly left?: number;
  /** Where those pods run. */
  readonly nodes?: readonly string[];
  /** Jobs of a CronJob that are under way: each has a pod, or will have one. */
  readonly jobs?: readonly string[];
  /** Everybody else who owns the count, the newest first. Not asked for while it is zero. */
  readonly writers?: readonly Writer[];
}

/** Why nothing is known of it. */
export function unseenOf({ refused, unseen }: WorkloadFacts): Failure | undefined {
  return refused ?? unseen;
}
