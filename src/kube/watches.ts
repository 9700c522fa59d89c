import type { KubeObject } from '../api/kubernetes.ts';
import { LABELS } from '../api/names.ts';
import type { Http } from './http.ts';
import { KIND, type KindRef } from './kinds.ts';
import { MergedStore } from './merged-store.ts';
import type { Change, Store } from './store.ts';
import type { Stores } from './stores.ts';
import type { WatchTimings } from './watch.ts';
import { type GroupOptions, type Refusal, type Watched, WatchGroup } from './watch-group.ts';

/** One watch for each kind in each of these, and for nothing else of the cluster. */
export interface OnlyNamespaces {
  readonly namespaces: readonly string[];
  /** The operator's own, whose Leases it watches whether or not it is one of them: the locks of databases. */
  readonly home: string;
}

export interface WatchesOptions {
  /** Absent: all namespaces, by one watch for each kind. */
  readonly only?: OnlyNamespaces;
  readonly onChange: (change: Change) => void;
  readonly onRestart: (kind: string, reason: string, namespace: string | undefined) => void;
  /** A namespace is not looked at (any more): the API server refuses us there. */
  readonly onRefused?: (refusal: Refusal) => void;
  /** A namespace that was refused is looked at (again). */
  readonly onServed?: (namespace: string) => void;
  readonly onFatal: (error: unknown) => void;
  readonly timings?: Partial<WatchTimings>;
  /** Milliseconds for which a namespace may refuse us before the operator goes on without it. */
  readonly patience?: number;
}

/**
 * Rights take a moment to reach every API server, and one that starts refuses everybody for another moment. Until it is over,
 * a new leader waits for the namespace.
 */
const PATIENCE = 10_000;

/** Of other people's kinds only what works for an object of ours. */
const OURS = LABELS.owner;

const WATCHED: Readonly<Record<keyof Stores, Watched>> = {
  backupStores: { kind: KIND.backupStore },
  backupKeys: { kind: KIND.backupKey },
  backupSchedules: { kind: KIND.backupSchedule },
  backups: { kind: KIND.backup },
  restores: { kind: KIND.restore },
  jobs: { kind: KIND.job, labelSelector: OURS },
  pods: { kind: KIND.pod, labelSelector: OURS },
  leases: { kind: KIND.lease, labelSelector: OURS },
};

/** Every watch of the operator, as one. */
export class Watches {
  readonly stores: Stores;
  private readonly groups: readonly WatchGroup[];
  private readonly merged: ReadonlyMap<string, MergedStore<KubeObject>>;

  constructor(http: Http, options: WatchesOptions) {
    this.groups = groupsOf(http, options);
    this.merged = new Map(Object.values(WATCHED).map(({ kind }) => [kind.kind, this.mergedOf(kind)]));
    this.stores = {
      backupStores: this.typed(KIND.backupStore),
      backupKeys: this.typed(KIND.backupKey),
      backupSchedules: this.typed(KIND.backupSchedule),
      backups: this.typed(KIND.backup),
      restores: this.typed(KIND.restore),
      jobs: this.typed(KIND.job),
      pods: this.typed(KIND.pod),
      leases: this.typed(KIND.lease),
    };
  }

  start(): void {
    for (const group of this.groups) group.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.groups.map((group) => group.stop()));
  }

  /** Whether every namespace is known, or known to refuse us. */
  synced(): boolean {
    return this.groups.every((group) => group.isSettled());
  }

  /** The namespaces that refuse us at present. */
  refused(): readonly string[] {
    return this.groups.flatMap((group) => (group.isRefused() ? [group.namespace ?? ''] : []));
  }

  /** Lists everything anew; resolves when every copy is at least as new as this call. Who refuses us is not waited for. */
  async refresh(): Promise<void> {
    await Promise.all(this.groups.map((group) => group.refresh()));
  }

  /** Takes the API server's answer to a write into the local copy of its kind, if there is one. */
  learn(object: KubeObject): void {
    const namespace = object.metadata.namespace ?? '';
    this.groups.find((group) => group.covers(namespace) && group.watches(object.kind))?.learn(object);
  }

  storeOf(kind: string): Store<KubeObject> | undefined {
    return this.merged.get(kind);
  }

  /** Of the watch that has been stuck for the longest: how long. */
  idleFor(): number {
    return Math.max(...this.groups.map((group) => group.idleFor()));
  }

  private mergedOf({ kind }: KindRef): MergedStore<KubeObject> {
    const parts = this.groups
      .filter((group) => group.watches(kind))
      .map((group) => ({
        covers: (namespace: string) => group.covers(namespace),
        get store() {
          return group.visible(kind);
        },
      }));
    return new MergedStore(parts);
  }

  private typed<T extends KubeObject>({ kind }: KindRef<T>): Store<T> {
    return this.merged.get(kind) as unknown as Store<T>;
  }
}

/** The home's Leases are a group of their own, which is never given up: without them nothing can be done anywhere. */
function groupsOf(http: Http, options: WatchesOptions): readonly WatchGroup[] {
  const { only, patience = PATIENCE } = options;
  const all = Object.values(WATCHED);
  if (only === undefined) return [newGroup(http, options, { kinds: all })];
  const { namespaces, home } = only;
  const others = all.filter((watched) => watched !== WATCHED.leases);
  return [
    newGroup(http, options, { namespace: home, kinds: [WATCHED.leases] }),
    ...namespaces.map((namespace) =>
      newGroup(http, options, { namespace, kinds: namespace === home ? others : all, patience }),
    ),
  ];
}

function newGroup(
  http: Http,
  options: WatchesOptions,
  own: Pick<GroupOptions, 'namespace' | 'kinds' | 'patience'>,
): WatchGroup {
  const { onChange, onRestart, onRefused, onServed, onFatal, timings = {} } = options;
  return new WatchGroup(http, {
    ...own,
    timings,
    onChange,
    onFatal,
    onRestart: (kind, reason) => onRestart(kind, reason, own.namespace),
    onRefused: (refusal) => onRefused?.(refusal),
    onServed: (namespace) => onServed?.(namespace),
  });
}
