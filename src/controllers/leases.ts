/** The two kinds of Leases by which operations keep out of each other's way. Pure. */
import type { Lease, NewLease } from '../api/kubernetes.ts';
import type { ObjectMeta } from '../api/meta.ts';
import { ANNOTATIONS, databaseLockName, LABELS, MANAGED_BY, scaleLeaseName, serverLabel } from '../api/names.ts';
import type { PostgresqlAddress } from '../api/postgresql.ts';
import type { Workload } from '../api/restore.ts';
import { isCronJob, type ScalableKind, workloadArgument } from '../api/workloads.ts';
import type { Action } from './action.ts';

/** The object of ours that holds a Lease, or wants it. */
export interface Holder {
  readonly kind: 'Backup' | 'Restore';
  readonly metadata: Pick<ObjectMeta, 'name' | 'uid'> & { readonly namespace: string };
}

/** A Lease as a decision sees it. */
export interface LeaseFacts {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly holderUid: string;
  /** `Backup default/nightly`, for people. */
  readonly holder: string;
  /** False when the holder is over or gone and no pod of it is left: the Lease is litter, and whoever needs it removes it. */
  readonly holderAlive: boolean;
  /** Where it is not the very Lease that is wanted but one in its way: what it is on, `host:port/database` or `host:port/*`. */
  readonly elsewhere?: string;
  /** On a scale Lease: the count to return to; of a CronJob 0 where it was suspended, else 1. */
  readonly replicas?: number;
  /** On a scale Lease: since when the workload is at zero by our own hand; absent while it still has to go there. */
  readonly atZero?: Date;
  /** On a scale Lease: how often somebody else wrote the count since we took it. */
  readonly contests?: number;
  /** On a scale Lease: who that was, the last time, in words. */
  readonly contestedBy?: string;
  /** On a scale Lease: what kubectl calls the workload. */
  readonly workload?: string;
  /** On a scale Lease: the instant after which no runner may touch the live database; absent while none was made that may. */
  readonly fence?: Date;
  readonly acquired?: Date;
}

/** One operation at a time per database: held in the operator's own namespace, where no tenant can touch it. */
export function databaseLock(namespace: string, address: PostgresqlAddress, holder: Holder): NewLease {
  const annotations = { [ANNOTATIONS.database]: `${address.host}:${address.port}/${address.database ?? '*'}` };
  return lease(namespace, databaseLockName(address), holder, annotations, {
    [LABELS.server]: serverLabel(address),
    [LABELS.scope]: address.database === undefined ? 'Instance' : 'Database',
  });
}

/**
 * Lock and memory in one create: who scales the workload, and the count to return to. In the workload's namespace, so
 * that whoever can see the workload can read how to bring it back, even when the operator and its kinds are gone.
 */
export function scaleLease(workload: Workload, resource: ScalableKind, replicas: number, holder: Holder): NewLease {
  return lease(holder.metadata.namespace, scaleLeaseName(workload), holder, {
    [ANNOTATIONS.workload]: workloadArgument(resource, workload.name),
    ...countAnnotation(workload, replicas),
  });
}

/** The count to return to, as a scale Lease says it. */
export function countAnnotation(workload: Workload, replicas: number): Record<string, string> {
  return isCronJob(workload)
    ? { [ANNOTATIONS.suspend]: String(replicas === 0) }
    : { [ANNOTATIONS.replicas]: String(replicas) };
}

function lease(
  namespace: string,
  name: string,
  holder: Holder,
  annotations: Record<string, string>,
  labels: Record<string, string> = {},
): NewLease {
  const { kind, metadata } = holder;
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name,
      namespace,
      labels: {
        [LABELS.managedBy]: MANAGED_BY,
        [LABELS.kind]: kind.toLowerCase(),
        [LABELS.owner]: metadata.uid,
        ...labels,
      },
      annotations: { ...annotations, [ANNOTATIONS.holder]: `${kind} ${metadata.namespace}/${metadata.name}` },
    },
    spec: { holderIdentity: metadata.uid },
  };
}

export function leaseFacts(found: Lease, holderAlive: boolean): LeaseFacts {
  const { metadata, spec } = found;
  const { annotations } = metadata;
  const replicas = countOf(annotations?.[ANNOTATIONS.replicas]) ?? COUNTS[annotations?.[ANNOTATIONS.suspend] ?? ''];
  const contests = countOf(annotations?.[ANNOTATIONS.contests]);
  const atZero = new Date(annotations?.[ANNOTATIONS.atZero] ?? '');
  const contestedBy = annotations?.[ANNOTATIONS.contestedBy];
  const fence = new Date(annotations?.[ANNOTATIONS.fence] ?? '');
  const workload = annotations?.[ANNOTATIONS.workload];
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    holderUid: spec?.holderIdentity ?? '',
    holder: metadata.annotations?.[ANNOTATIONS.holder] ?? 'somebody unknown',
    holderAlive,
    acquired: new Date(metadata.creationTimestamp),
    ...(replicas === undefined ? {} : { replicas }),
    ...(contests === undefined ? {} : { contests }),
    ...(Number.isNaN(atZero.getTime()) ? {} : { atZero }),
    ...(contestedBy === undefined ? {} : { contestedBy }),
    ...(workload === undefined ? {} : { workload }),
    ...(Number.isNaN(fence.getTime()) ? {} : { fence }),
  };
}

/** What a CronJob's `suspend` was stands for a count. */
const COUNTS: Readonly<Record<string, number>> = { true: 0, false: 1 };

/** Anybody may write an annotation. */
function countOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,10}$/.test(text) ? Number(text) : undefined;
}

export function releaseOf(found: LeaseFacts): Action {
  const { namespace, name, uid, resourceVersion } = found;
  return { action: 'deleteLease', namespace, name, uid, resourceVersion };
}

/** What stands between an operation and its Lease. */
export type Claim =
  | { readonly claim: 'held' }
  | { readonly claim: 'free' }
  /** Left behind by a holder that is no more. */
  | { readonly claim: 'stale'; readonly lease: LeaseFacts }
  | { readonly claim: 'busy'; readonly lease: LeaseFacts };

export function claimOn(found: LeaseFacts | undefined, holder: Holder): Claim {
  if (found === undefined) return { claim: 'free' };
  if (found.holderUid === holder.metadata.uid) return { claim: 'held' };
  return found.holderAlive ? { claim: 'busy', lease: found } : { claim: 'stale', lease: found };
}
