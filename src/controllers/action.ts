/**
 * Everything that a controller may do to the world, as data. `apply.ts` is the only code that turns one into a call.
 * Pure: `decide` imports this file and nothing of `kube`.
 */
import type { NewBackup } from '../api/backup.ts';
import type { NewJob, NewLease, ObjectReference } from '../api/kubernetes.ts';
import type { NewRestore } from '../api/restore.ts';
import type { ScalableKind } from '../api/workloads.ts';
import type { Failure } from '../lib/errors.ts';

export type Action =
  /** There already, with our owner label: nothing. There with another's: `AdoptionRefused`. */
  | { readonly action: 'createJob'; readonly job: NewJob }
  /** With its pods (background). Gone, or another of that name: nothing. */
  | { readonly action: 'deleteJob'; readonly namespace: string; readonly name: string; readonly uid: string }
  /** A lock: the first create wins. Ours already: nothing. Another's: `LockHeld`, and what follows is not done. */
  | { readonly action: 'createLease'; readonly lease: NewLease }
  /** Gone, or another of that name: nothing. Changed since it was looked at: a conflict, looked at again. */
  | {
      readonly action: 'deleteLease';
      readonly namespace: string;
      readonly name: string;
      readonly uid: string;
      readonly resourceVersion: string;
    }
  /** Refused (a conflict, looked at again) when the workload changed since it was looked at, or is another one. */
  | {
      readonly action: 'scale';
      readonly resource: ScalableKind;
      readonly namespace: string;
      readonly name: string;
      readonly uid: string;
      /** The workload's, when its count was looked at. */
      readonly resourceVersion: string;
      readonly replicas: number;
    }
  /** The same for a CronJob, which has no count. */
  | {
      readonly action: 'suspend';
      readonly namespace: string;
      readonly name: string;
      readonly uid: string;
      readonly resourceVersion: string;
      readonly suspend: boolean;
    }
  /**
   * Writes annotations of a Lease of ours; `undefined` removes one. Refused (looked at again) where it is gone or somebody
   * else's by now. Only its holder writes to a Lease, so the version that was looked at is no condition.
   */
  | {
      readonly action: 'annotateLease';
      readonly namespace: string;
      readonly name: string;
      readonly holderUid: string;
      readonly annotations: Readonly<Record<string, string | undefined>>;
    }
  /** Of a schedule, or of a Restore. There already with the same label of it: nothing. There otherwise: `AdoptionRefused`. */
  | { readonly action: 'createBackup'; readonly backup: NewBackup }
  /** Gone, or another of that name: nothing. Its archive stays. */
  | { readonly action: 'deleteBackup'; readonly namespace: string; readonly name: string; readonly uid: string }
  /** A drill of a schedule. There already, with our owner label: nothing. There with another's: `AdoptionRefused`. */
  | { readonly action: 'createRestore'; readonly restore: NewRestore }
  /** A drill that is over. Gone, or another of that name: nothing. */
  | { readonly action: 'deleteRestore'; readonly namespace: string; readonly name: string; readonly uid: string }
  /** On the object that is being reconciled. There already: nothing. */
  | { readonly action: 'addFinalizer'; readonly finalizer: string }
  /** On the object that is being reconciled. Gone already: nothing. */
  | { readonly action: 'removeFinalizer'; readonly finalizer: string }
  /**
   * Tells people, best effort: an event that cannot be written holds nothing up. Told after the actions, and beside a status
   * only by a pass that changes it, so a decision may name it each time. Each change of a condition's reason is told without being asked for;
   * an event with the same reason takes its place. `regarding` absent: the object itself.
   */
  | {
      readonly action: 'event';
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly note: string;
      readonly regarding?: ObjectReference;
    };

export interface Decision<Status extends object = object> {
  /**
   * Carried out before the actions: what fails stops its own row and no other, so that one object which is refused keeps no
   * other waiting. Once all were tried, the failure stops the rest of the pass.
   */
  readonly rows?: readonly (readonly Action[])[];
  /** Carried out in order; the first that fails stops the rest. */
  readonly actions: readonly Action[];
  /**
   * The whole status, written after the actions, and only when it differs from the one that is there (key order and
   * absent fields do not count). Absent: the status is left as it is.
   */
  readonly status?: Status;
  /**
   * The status to write when an action failed: quota, a webhook, a name that is taken. Not asked for mere blips of the
   * API (no answer, 429, 5xx, conflicts), which are retried in silence. Absent: `status` is not written either.
   */
  readonly statusOnFailure?: (failure: Failure) => Status;
  /** Done once the status is written, such as removing the finalizer of a run that is over. */
  readonly afterStatus?: readonly Action[];
  /** Milliseconds until this object must be looked at again even if nothing in the cluster changes. */
  readonly requeueAfter?: number;
}
