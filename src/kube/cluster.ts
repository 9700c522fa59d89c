import type { CronJob, KubeObject, Lease, LeaseSpec, NewObject, ObjectReference, Scale } from '../api/kubernetes.ts';
import type { KindRef } from './kinds.ts';

/** An object by its place; for a cluster-scoped one the namespace is empty. */
export interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** An object by its place and its identity: not one that was made anew under the same name. */
export interface Identity extends Place {
  readonly uid: string;
}

/** An object as it was when somebody looked. */
export interface Version extends Identity {
  readonly resourceVersion: string;
}

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
}

export interface DeleteOptions {
  /** Given: the delete is refused (Conflict) once somebody has changed the object. */
  readonly resourceVersion?: string;
  /** Background by default: dependants are collected after the object is gone. */
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
}

/** An event about one of our objects. */
export interface EventReport {
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** PascalCase, the same word as the condition's reason. */
  readonly reason: string;
  readonly note: string;
  /** What we were doing, PascalCase; the reason when absent. */
  readonly action?: string;
}

/**
 * Our port to the cluster: every call that the operator may make, and no other.
 *
 * Reads ask the API server itself and see everything that was written before (no `resourceVersion=0`). Every call has a
 * time-out. Everything that goes wrong is thrown as a `KubeError`. An error with `status` 0 leaves open whether a write
 * was carried out; each write here can be repeated, and the repetition either does nothing or is refused:
 * a create by its name, an update by its resourceVersion, a delete by its uid, an apply because it is one.
 */
export interface Cluster {
  /** `undefined` where there is none; any other trouble is thrown. */
  get<T extends KubeObject>(kind: KindRef<T>, place: Place): Promise<T | undefined>;

  /** Every object, over as many pages as it takes; a list that breaks half-way is thrown, never cut short. */
  list<T extends KubeObject>(kind: KindRef<T>, options?: ListOptions): Promise<readonly T[]>;

  /** A POST: it is refused (`isAlreadyExists`) where the name is taken, so a name can be a lock. */
  create<T extends KubeObject>(object: NewObject): Promise<T>;

  /**
   * Server-side apply of the whole status, as field manager `holdfast`, forced: what is not in `status` any more goes.
   * Refused (`isConflict`) when the object is not the one that was looked at, or was changed since.
   */
  applyStatus<T extends KubeObject>(kind: KindRef<T>, seen: Version, status: object): Promise<T>;

  /** Replaces the list of finalizers. Refused (`isConflict`, or Invalid) when the object was changed since it was looked at. */
  setFinalizers<T extends KubeObject>(kind: KindRef<T>, seen: Version, finalizers: readonly string[]): Promise<T>;

  /** Deletes this very object; `isNotFound` or `isConflict` where it is gone or another has its name. */
  delete(kind: KindRef, object: Identity, options?: DeleteOptions): Promise<void>;

  /** `undefined` where there is no such workload. Its metadata has the uid and resourceVersion for {@link setScale}. */
  getScale(kind: KindRef, place: Place): Promise<Scale | undefined>;

  /** Refused (`isConflict`) when the workload is another one or was changed since it was looked at. */
  setScale(kind: KindRef, seen: Version, replicas: number): Promise<Scale>;

  /** Refused (`isConflict`) when the CronJob is another one or was changed since it was looked at. Its other fields stay. */
  setSuspend(seen: Version, suspend: boolean): Promise<CronJob>;

  /** Refused (`isConflict`) when somebody else was quicker. Labels and annotations become those of `seen`. */
  updateLease(seen: Lease, spec: LeaseSpec): Promise<Lease>;

  /** Tells people; the name is derived from the content and `at`, so a repetition adds nothing. */
  event(report: EventReport, at: Date): Promise<void>;
}
