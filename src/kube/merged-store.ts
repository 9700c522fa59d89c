import type { KubeObject } from '../api/kubernetes.ts';
import type { Store } from './store.ts';

/** A local copy of a part of the cluster. */
export interface Part<T extends KubeObject> {
  /** Whether objects of this namespace are in it, if they are anywhere. */
  covers(namespace: string): boolean;
  /** Absent while the part is not to be looked at. */
  readonly store: Store<T> | undefined;
}

/** Several local copies of one kind, seen as one. */
export class MergedStore<T extends KubeObject> implements Store<T> {
  private readonly parts: readonly Part<T>[];

  constructor(parts: readonly Part<T>[]) {
    this.parts = parts;
  }

  get(namespace: string, name: string): T | undefined {
    return this.parts.find((part) => part.covers(namespace))?.store?.get(namespace, name);
  }

  list(namespace?: string): readonly T[] {
    const parts = namespace === undefined ? this.parts : this.parts.filter((part) => part.covers(namespace));
    return parts.flatMap(({ store }) => store?.list(namespace) ?? []);
  }

  ownedBy(uid: string): readonly T[] {
    return this.parts.flatMap(({ store }) => store?.ownedBy(uid) ?? []);
  }

  byUid(uid: string): T | undefined {
    for (const { store } of this.parts) {
      const found = store?.byUid(uid);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  synced(): boolean {
    return this.parts.every(({ store }) => store?.synced() === true);
  }
}
