import { isDeepStrictEqual } from 'node:util';
import type { Backup, NewBackup } from '../api/backup.ts';
import type { Job, KubeObject, Lease, NewObject } from '../api/kubernetes.ts';
import { LABELS } from '../api/names.ts';
import type { Restore } from '../api/restore.ts';
import type { Cluster, DeleteOptions, Identity, Version } from '../kube/cluster.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../kube/errors.ts';
import { KIND, type KindRef, kindOf } from '../kube/kinds.ts';
import { HoldfastError } from '../lib/errors.ts';
import type { Action } from './action.ts';

/** The object that is being reconciled, as it is after the writes of this pass so far. */
export interface Target {
  readonly kind: KindRef;
  version: Version;
  finalizers: readonly string[];
}

export interface Hands {
  readonly cluster: Cluster;
  /** Takes the API server's answer into the local copy. */
  readonly learn: (object: KubeObject) => void;
}

/**
 * Carries one action out. The only code that turns an action into a call; each can be repeated after a crash or a lost
 * answer, and the repetition changes nothing more.
 */
export async function apply(action: Exclude<Action, { action: 'event' }>, target: Target, hands: Hands): Promise<void> {
  switch (action.action) {
    case 'createJob':
      return createOwned<Job>(action.job, hands, adoptionRefused);
    case 'createLease':
      return createOwned<Lease>(action.lease, hands, lockHeld);
    case 'deleteJob':
      return remove(KIND.job, action, {}, hands);
    case 'deleteLease':
      return remove(KIND.lease, action, { resourceVersion: action.resourceVersion }, hands);
    case 'scale':
      return scale(action, hands);
    case 'suspend':
      return suspend(action, hands);
    case 'annotateLease':
      return annotateLease(action, hands);
    case 'createBackup':
      return createBackup(action.backup, hands);
    case 'deleteBackup':
      return remove(KIND.backup, action, {}, hands);
    case 'createRestore':
      return createOwned<Restore>(action.restore, hands, adoptionRefused);
    case 'deleteRestore':
      return remove(KIND.restore, action, {}, hands);
    case 'addFinalizer':
      return setFinalizers(target, [...new Set([...target.finalizers, action.finalizer])], hands);
    case 'removeFinalizer':
      return setFinalizers(
        target,
        target.finalizers.filter((finalizer) => finalizer !== action.finalizer),
        hands,
      );
    default:
      return action satisfies never;
  }
}

/** A name that is taken is fine where the object has our owner label: an earlier pass, or the lost answer of this one, made it. */
async function createOwned<T extends KubeObject>(
  object: NewObject,
  { cluster, learn }: Hands,
  refusal: (object: NewObject, found: KubeObject) => HoldfastError,
): Promise<void> {
  try {
    learn(await cluster.create<T>(object));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const found = await cluster.get(kindOf(object), object.metadata);
    // Taken a moment ago and gone now: tried again by the next pass.
    if (found === undefined) throw error;
    if (ownerOf(found) === undefined || ownerOf(found) !== ownerOf(object)) throw refusal(object, found);
    learn(found);
  }
}

/** Taken by a Backup of the same schedule, or of the same Restore: an earlier pass, or the lost answer of this one, made it. */
async function createBackup(backup: NewBackup, { cluster, learn }: Hands): Promise<void> {
  try {
    learn(await cluster.create<Backup>(backup));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const found = await cluster.get(KIND.backup, backup.metadata);
    if (found === undefined) throw error;
    const label = (name: string) => found.metadata.labels?.[name] === backup.metadata.labels?.[name];
    if (!label(LABELS.schedule) || !label(LABELS.owner)) throw adoptionRefused(backup);
    learn(found);
  }
}

function ownerOf({ metadata }: { readonly metadata: Pick<NewObject['metadata'], 'labels'> }): string | undefined {
  return metadata.labels?.[LABELS.owner];
}

function adoptionRefused({ kind, metadata }: NewObject): HoldfastError {
  const { namespace, name } = metadata;
  return new HoldfastError('AdoptionRefused', `${kind} ${namespace}/${name} exists and belongs to somebody else.`, {
    hint: `Look at it and remove it if it is litter: kubectl --namespace ${namespace} get ${kind.toLowerCase()} ${name} --show-labels.`,
  });
}

function lockHeld({ metadata }: NewObject, found: KubeObject): HoldfastError {
  const holder = ownerOf(found) ?? 'somebody unknown';
  return new HoldfastError('LockHeld', `Lease ${metadata.namespace}/${metadata.name} is held by ${holder}.`, {
    outlook: 'retry',
  });
}

async function remove(kind: KindRef, object: Identity, options: DeleteOptions, { cluster }: Hands): Promise<void> {
  try {
    await cluster.delete(kind, { namespace: object.namespace, name: object.name, uid: object.uid }, options);
  } catch (error) {
    if (isNotFound(error)) return;
    if (!isConflict(error)) throw error;
    // Another one has the name by now: ours is gone. Still ours, but changed: to be looked at again.
    const found = await cluster.get(kind, object);
    if (found?.metadata.uid === object.uid) throw error;
  }
}

/** The count is written only where the workload is the one that was looked at, unchanged since. */
async function scale(action: Action & { action: 'scale' }, { cluster }: Hands): Promise<void> {
  const { resource, namespace, name, uid, resourceVersion, replicas } = action;
  await cluster.setScale(resource, { namespace, name, uid, resourceVersion }, replicas);
}

async function suspend(action: Action & { action: 'suspend' }, { cluster }: Hands): Promise<void> {
  const { namespace, name, uid, resourceVersion } = action;
  await cluster.setSuspend({ namespace, name, uid, resourceVersion }, action.suspend);
}

async function annotateLease(action: Action & { action: 'annotateLease' }, { cluster, learn }: Hands): Promise<void> {
  const { namespace, name, holderUid, annotations } = action;
  const found = await cluster.get<Lease>(KIND.lease, { namespace, name });
  if (found?.spec?.holderIdentity !== holderUid) {
    throw new HoldfastError('LeaseLost', `Lease ${namespace}/${name} is not ours any more.`, { outlook: 'retry' });
  }
  const wanted = Object.entries({ ...found.metadata.annotations, ...annotations }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  if (isDeepStrictEqual(Object.fromEntries(wanted), found.metadata.annotations)) return;
  const metadata = { ...found.metadata, annotations: Object.fromEntries(wanted) };
  learn(await cluster.updateLease({ ...found, metadata }, found.spec));
}

async function setFinalizers(target: Target, wanted: readonly string[], { cluster, learn }: Hands): Promise<void> {
  if (wanted.length === target.finalizers.length) return;
  try {
    const answer = await cluster.setFinalizers(target.kind, target.version, wanted);
    target.version = { ...target.version, resourceVersion: answer.metadata.resourceVersion };
    target.finalizers = answer.metadata.finalizers ?? [];
    // The last finalizer of an object being deleted: it is gone, and must not come back into the local copy.
    if (!(answer.metadata.deletionTimestamp !== undefined && target.finalizers.length === 0)) learn(answer);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
