/**
 * The part of Kubernetes' own objects that we read, as JSON has it: times are RFC 3339 text. (The client's generated
 * types turn them into `Date`s, which cuts Lease times to milliseconds and makes a plain comparison of two objects fail.)
 */
import type { ObjectMeta, OwnerReference } from './meta.ts';

/** Any object as it comes from the API server. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** Metadata of an object that is about to be made. */
export interface NewMeta {
  readonly name: string;
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
}

/** An object that is about to be made: no uid, no resourceVersion yet. */
export interface NewObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: NewMeta;
}

/** Enough to name an object in an Event. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface JobCondition {
  /** Complete, Failed, FailureTarget, SuccessCriteriaMet, Suspended. */
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export interface Job extends KubeObject {
  readonly spec: { readonly [field: string]: unknown };
  readonly status?: {
    readonly active?: number;
    readonly succeeded?: number;
    readonly failed?: number;
    readonly ready?: number;
    readonly terminating?: number;
    readonly startTime?: string;
    readonly completionTime?: string;
    readonly conditions?: readonly JobCondition[];
  };
}

export interface NewJob extends NewObject {
  readonly spec: { readonly [field: string]: unknown };
}

export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: {
    readonly exitCode: number;
    readonly signal?: number;
    readonly reason?: string;
    readonly message?: string;
    readonly startedAt?: string;
    readonly finishedAt?: string;
  };
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly image?: string;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

export interface Pod extends KubeObject {
  readonly spec: {
    readonly nodeName?: string;
    readonly [field: string]: unknown;
  };
  readonly status?: {
    /** Pending, Running, Succeeded, Failed, Unknown. */
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly startTime?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly leaseTransitions?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
}

export interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

export interface NewLease extends NewObject {
  readonly spec: LeaseSpec;
}

/** A Deployment or a StatefulSet. */
export interface ScalableWorkload extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly selector: LabelSelector;
    readonly [field: string]: unknown;
  };
  readonly status?: { readonly replicas?: number; readonly readyReplicas?: number };
}

/** The part of a CronJob that we read and write. */
export interface CronJob extends KubeObject {
  readonly spec: { readonly suspend?: boolean; readonly [field: string]: unknown };
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values?: readonly string[];
  }[];
}

/** The scale subresource (autoscaling/v1). Its metadata has the workload's own uid and resourceVersion. */
export interface Scale extends KubeObject {
  readonly spec: { readonly replicas?: number };
  readonly status: {
    /** Pods that the workload has now, those being stopped not counted. */
    readonly replicas: number;
    /** The workload's label selector as the query string of a list. */
    readonly selector?: string;
  };
}

/** A CustomResourceDefinition as a file has it. */
export interface NewCrd {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean }[];
  };
}

export interface CrdCondition {
  /** Established, NamesAccepted, Terminating and others. */
  readonly type: string;
  readonly status: string;
  readonly message?: string;
}

/** One as the API server has it. */
export interface Crd extends KubeObject {
  readonly spec: NewCrd['spec'];
  readonly status?: { readonly conditions?: readonly CrdCondition[] };
}
