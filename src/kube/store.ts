import type { KubeObject } from '../api/kubernetes.ts';
import { LABELS } from '../api/names.ts';

/** Reading side of a local copy that a watch keeps up. It may be behind the API server, never ahead of it. */
export interface Store<T extends KubeObject> {
  get(namespace: string, name: string): T | undefined;
  /** Absent: of all namespaces. */
  list(namespace?: string): readonly T[];
  /** Objects with the label `holdfast.dev/owner-uid` = uid. */
  ownedBy(uid: string): readonly T[];
  byUid(uid: string): T | undefined;
  /** Whether the first list is in. Before that, absence means nothing. */
  synced(): boolean;
}

/** What became of an object. One that was deleted and made anew between two looks is a `deleted` and an `added`. */
export interface Change<T extends KubeObject = KubeObject> {
  readonly type: 'added' | 'changed' | 'deleted';
  /** As last seen; for a `deleted` one that may be before its end. */
  readonly object: T;
}

/** The local copy itself. Every writing method returns what changed by it. */
export class LocalStore<T extends KubeObject> implements Store<T> {
  private readonly objects = new Map<string, T>();
  private readonly uids = new Map<string, T>();
  private readonly owned = new Map<string, Map<string, T>>();
  /** How far the watch has got: everything up to here was seen. */
  private version: string | undefined;
  /** UIDs learned since the last list. */
  private readonly learned = new Set<string>();
  /** What was learned and that the watch has still to tell, by UID. */
  private readonly untold = new Map<string, 'added' | 'changed'>();

  get(namespace: string, name: string): T | undefined {
    return this.objects.get(`${namespace}/${name}`);
  }

  list(namespace?: string): readonly T[] {
    const all = [...this.objects.values()];
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  ownedBy(uid: string): readonly T[] {
    return [...(this.owned.get(uid)?.values() ?? [])];
  }

  byUid(uid: string): T | undefined {
    return this.uids.get(uid);
  }

  synced(): boolean {
    return this.version !== undefined;
  }

  /** The whole content as of `version`; what is not in it was deleted while nobody looked. */
  replace(items: readonly T[], version: string): Change<T>[] {
    const listed = new Set(items.map(keyOf));
    const gone = [...this.objects].filter(([key, object]) => !listed.has(key) && !this.isAhead(object, version));
    const news = items.filter((item) => !this.isAhead(this.objects.get(keyOf(item)), version));
    this.version = version;
    this.learned.clear();
    return [...gone.flatMap(([key]) => this.drop(key)), ...news.flatMap((item) => this.put(item))];
  }

  /** An ADDED or MODIFIED of the watch. */
  seen(object: T): Change<T>[] {
    this.version = object.metadata.resourceVersion;
    const known = this.objects.get(keyOf(object));
    // An event older than what is known: a replay, or the echo of a write of ours that was learned before.
    if (known !== undefined && isNewer(known.metadata.resourceVersion, object.metadata.resourceVersion)) return [];
    return this.put(object);
  }

  /** A DELETED of the watch. */
  removed(object: T): Change<T>[] {
    this.version = object.metadata.resourceVersion;
    const key = keyOf(object);
    return this.objects.get(key)?.metadata.uid === object.metadata.uid ? this.drop(key) : [];
  }

  /** A bookmark of the watch: nothing happened up to `version`. */
  reached(version: string): void {
    this.version = version;
  }

  /**
   * The API server's answer to a write of ours, so that the next look sees it even before the watch tells of it; it is
   * told when the watch does. Ignored where the watch is past it already: it may have seen the object go.
   */
  learn(object: T): void {
    const { uid, resourceVersion } = object.metadata;
    if (this.version === undefined || !isNewer(resourceVersion, this.version)) return;
    const known = this.objects.get(keyOf(object));
    if (
      known !== undefined &&
      (known.metadata.uid !== uid || !isNewer(resourceVersion, known.metadata.resourceVersion))
    ) {
      return;
    }
    if (known !== undefined) this.forget(known);
    this.remember(keyOf(object), object);
    this.learned.add(uid);
    this.untold.set(uid, this.untold.get(uid) ?? (known === undefined ? 'added' : 'changed'));
  }

  /** Learned from an answer, and too new for a list that was begun before. */
  private isAhead(object: T | undefined, version: string): boolean {
    if (object === undefined || !this.learned.has(object.metadata.uid)) return false;
    return isNewer(object.metadata.resourceVersion, version);
  }

  private put(object: T): Change<T>[] {
    const key = keyOf(object);
    const { uid, resourceVersion } = object.metadata;
    const known = this.objects.get(key);
    if (known?.metadata.uid !== uid) {
      const before = this.drop(key);
      this.remember(key, object);
      return [...before, { type: 'added', object }];
    }
    const untold = this.untold.get(uid);
    this.untold.delete(uid);
    if (known.metadata.resourceVersion === resourceVersion)
      return untold === undefined ? [] : [{ type: untold, object }];
    this.forget(known);
    this.remember(key, object);
    return [{ type: untold ?? 'changed', object }];
  }

  private drop(key: string): Change<T>[] {
    const object = this.objects.get(key);
    if (object === undefined) return [];
    this.forget(object);
    this.objects.delete(key);
    const untold = this.untold.get(object.metadata.uid) === 'added';
    this.untold.delete(object.metadata.uid);
    const gone: Change<T> = { type: 'deleted', object };
    return untold ? [{ type: 'added', object }, gone] : [gone];
  }

  private remember(key: string, object: T): void {
    this.objects.set(key, object);
    this.uids.set(object.metadata.uid, object);
    const owner = object.metadata.labels?.[LABELS.owner];
    if (owner === undefined) return;
    const siblings = this.owned.get(owner) ?? new Map<string, T>();
    this.owned.set(owner, siblings.set(object.metadata.uid, object));
  }

  private forget({ metadata }: T): void {
    this.uids.delete(metadata.uid);
    const owner = metadata.labels?.[LABELS.owner];
    if (owner === undefined) return;
    const siblings = this.owned.get(owner);
    siblings?.delete(metadata.uid);
    if (siblings?.size === 0) this.owned.delete(owner);
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/**
 * Whether resourceVersion `a` is later than `b`, of the same kind. They are decimal numbers that only grow (promised
 * since Kubernetes 1.35, so in every version before); of anything else nothing is known, and the answer is no.
 */
export function isNewer(a: string, b: string): boolean {
  if (!/^[0-9]+$/.test(a) || !/^[0-9]+$/.test(b)) return false;
  return a.length === b.length ? a > b : a.length > b.length;
}
