import type { KubeObject } from '../api/kubernetes.ts';
import { LABELS } from '../api/names.ts';
import type { Http } from './http.ts';
import { KIND, type KindRef } from './kinds.ts';
import type { Change, Store } from './store.ts';
import type { Stores } from './stores.ts';
import { lean, Reflector, type WatchTimings } from './watch.ts';

export interface WatchesOptions {
  readonly onChange: (change: Change) => void;
  readonly onRestart: (kind: string, reason: string) => void;
  readonly onFatal: (error: unknown) => void;
  readonly timings?: Partial<WatchTimings>;
}

/** Of other people's kinds only what works for an object of ours. */
const OURS = LABELS.owner;

/** Every watch of the operator, as one. */
export class Watches {
  readonly stores: Stores;
  private readonly reflectors = new Map<string, Reflector<KubeObject>>();

  constructor(http: Http, options: WatchesOptions) {
    const { timings = {}, onChange, onFatal } = options;
    const watch = <T extends KubeObject>(kind: KindRef<T>, labelSelector?: string): Store<T> => {
      const reflector = new Reflector<T>(http, kind, {
        ...(labelSelector === undefined ? {} : { labelSelector }),
        timings,
        onChange,
        onFatal,
        onRestart: (reason) => options.onRestart(kind.kind, reason),
      });
      this.reflectors.set(kind.kind, reflector as unknown as Reflector<KubeObject>);
      return reflector.store;
    };
    this.stores = {
      backupStores: watch(KIND.backupStore),
      backupKeys: watch(KIND.backupKey),
      backupSchedules: watch(KIND.backupSchedule),
      backups: watch(KIND.backup),
      restores: watch(KIND.restore),
      jobs: watch(KIND.job, OURS),
      pods: watch(KIND.pod, OURS),
      leases: watch(KIND.lease, OURS),
    };
  }

  start(): void {
    for (const reflector of this.all()) reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.all().map((reflector) => reflector.stop()));
  }

  synced(): boolean {
    return this.all().every(({ store }) => store.synced());
  }

  /** Lists everything anew; resolves when every copy is at least as new as this call. */
  async refresh(): Promise<void> {
    await Promise.all(this.all().map((reflector) => reflector.refresh()));
  }

  /** Takes the API server's answer to a write into the local copy of its kind, if there is one. */
  learn(object: KubeObject): void {
    this.reflectors.get(object.kind)?.store.learn(lean(object));
  }

  storeOf(kind: string): Store<KubeObject> | undefined {
    return this.reflectors.get(kind)?.store;
  }

  /** Of the watch that has been stuck for the longest: how long. */
  idleFor(): number {
    return Math.max(...this.all().map((reflector) => reflector.idleFor()));
  }

  private all(): readonly Reflector<KubeObject>[] {
    return [...this.reflectors.values()];
  }
}
