import type { KubeObject } from '../api/kubernetes.ts';
import type { Cluster, Place } from '../kube/cluster.ts';
import type { KindRef } from '../kube/kinds.ts';
import type { Stores } from '../kube/stores.ts';
import type { Decision } from './action.ts';
import type { Settings } from './settings.ts';

/** Where an observer looks. */
export interface World {
  /** Local copies; cheap, may be behind. Enough wherever the action that follows has a precondition. */
  readonly stores: Stores;
  /** The API server itself; for what must not be stale, and for what is not watched (workloads, an app's pods). */
  readonly cluster: Cluster;
  readonly settings: Settings;
}

/** One kind's controller. `observe` reads, `decide` is pure; neither writes. */
export interface Controller<T extends KubeObject, Facts, Status extends object> {
  readonly kind: KindRef<T>;
  /** Everything that `decide` needs; `object` is the local copy's. `undefined`: there is nothing to do. */
  observe(world: World, object: T): Promise<Facts | undefined>;
  decide(facts: Facts, now: Date): Decision<Status>;
  /**
   * Other objects of this kind to look at again when `changed`, of any watched kind, appeared, changed or went.
   * The object itself, and the owner of a Job, Pod or Lease, are looked at anyway.
   */
  concerns?(changed: KubeObject, stores: Stores): readonly Place[];
}

/** A controller whose facts are its own business. */
// biome-ignore lint/suspicious/noExplicitAny: facts go from observe to decide of the same controller only
export type AnyController = Controller<any, any, any>;
