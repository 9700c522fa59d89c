import type { KubeObject } from '../api/kubernetes.ts';
import { isForbidden } from './errors.ts';
import type { Http } from './http.ts';
import type { KindRef } from './kinds.ts';
import type { Change, LocalStore, Store } from './store.ts';
import { lean, Reflector, type WatchTimings } from './watch.ts';

/** A kind to watch, and which objects of it. */
export interface Watched {
  readonly kind: KindRef;
  readonly labelSelector?: string;
}

export interface GroupOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly kinds: readonly Watched[];
  /**
   * Milliseconds for which the API server may refuse us (403) before we go on without the namespace. Absent: for ever. A
   * namespace that does not exist, one that was deleted and one without our Role look the same: refused.
   */
  readonly patience?: number;
  readonly onChange: (change: Change) => void;
  readonly onRestart: (kind: string, reason: string) => void;
  /**
   * Told once, with what of the namespace was known until then and is no more; and once more for each kind that is still
   * refused when the first one is let in again.
   */
  readonly onRefused: (refusal: Refusal) => void;
  /** After a refusal: all of it can be looked at (again). */
  readonly onServed: (namespace: string) => void;
  readonly onFatal: (error: unknown) => void;
  readonly timings: Partial<WatchTimings>;
}

export interface Refusal {
  readonly namespace: string;
  readonly reason: string;
  readonly lost: readonly KubeObject[];
}

type State =
  /** Not every first list is in. */
  | 'starting'
  | 'open'
  /** Given up for now; one watch goes on trying. */
  | 'refused';

/**
 * The watches of one namespace, or of all, which are looked at together or not at all: a Backup without its Jobs, its store
 * or its pods would be taken for one that has none. So nothing is shown or told before every list is in, and when the API
 * server refuses any of them for long, all is told as deleted, just as if the operator had been restarted.
 *
 * After that the first of the watches tries alone, with back-off and for ever, since what is not let in can watch nothing. The
 * others begin once it has a list.
 */
export class WatchGroup {
  readonly namespace: string | undefined;
  private readonly http: Http;
  private readonly options: GroupOptions;
  private state: State = 'starting';
  private reflectors: readonly Reflector<KubeObject>[];
  /** Kinds whose refusal was told, since the group was open. */
  private readonly told = new Set<string>();
  private opened = Promise.withResolvers<void>();
  private refused = Promise.withResolvers<void>();

  constructor(http: Http, options: GroupOptions) {
    this.http = http;
    this.options = options;
    this.namespace = options.namespace;
    this.reflectors = this.newReflectors();
  }

  start(): void {
    // Where it may be refused, one request finds that out as well as eight.
    if (this.options.patience !== undefined) this.reflectors[0]?.start();
    else for (const reflector of this.reflectors) reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.reflectors.map((reflector) => reflector.stop()));
  }

  /** Whether it is known what is to be known: all, or that we are refused. */
  isSettled(): boolean {
    return this.state !== 'starting';
  }

  isRefused(): boolean {
    return this.state === 'refused';
  }

  /** Resolves when every copy is at least as new as this call, or when there is none, since we are refused. */
  async refresh(): Promise<void> {
    if (this.state !== 'refused') return Promise.race([this.refused.promise, this.openAndNew()]);
    // The pause between two tries ends; what is listed from now on is new by itself.
    for (const reflector of this.reflectors) void reflector.refresh();
  }

  learn(object: KubeObject): void {
    if (this.state === 'open') this.storeOf(object.kind)?.learn(lean(object));
  }

  /** Undefined for a kind that is not watched here, and while nothing of the group is to be looked at. */
  visible(kind: string): Store<KubeObject> | undefined {
    return this.state === 'open' ? this.storeOf(kind) : undefined;
  }

  watches(kind: string): boolean {
    return this.storeOf(kind) !== undefined;
  }

  covers(namespace: string): boolean {
    return this.namespace === undefined || this.namespace === namespace;
  }

  idleFor(): number {
    return Math.max(...this.reflectors.map((reflector) => reflector.idleFor()));
  }

  private storeOf(kind: string): LocalStore<KubeObject> | undefined {
    return this.reflectors.find((reflector) => reflector.kind.kind === kind)?.store;
  }

  private async openAndNew(): Promise<void> {
    await this.opened.promise;
    await Promise.all(this.reflectors.map((reflector) => reflector.refresh()));
  }

  private newReflectors(): readonly Reflector<KubeObject>[] {
    const { namespace, timings, onChange, onFatal } = this.options;
    const reflectors = this.options.kinds.map(({ kind, labelSelector }): Reflector<KubeObject> => {
      // Those of before a refusal may still have a word on their way.
      const isOurs = () => this.reflectors === reflectors;
      return new Reflector<KubeObject>(this.http, kind, {
        ...(namespace === undefined ? {} : { namespace }),
        ...(labelSelector === undefined ? {} : { labelSelector }),
        timings,
        onFatal,
        onChange: (change) => {
          if (isOurs() && this.state === 'open') onChange(change);
        },
        onListed: () => {
          if (isOurs()) this.listed();
        },
        onRestart: (_reason, error) => {
          if (isOurs()) this.restarted(kind.kind, error);
        },
      });
    });
    return reflectors;
  }

  private listed(): void {
    if (this.state === 'open') return;
    for (const reflector of this.reflectors) reflector.start();
    if (!this.reflectors.every(({ store }) => store.synced())) return;
    const wasRefused = this.state === 'refused';
    this.state = 'open';
    this.told.clear();
    this.opened.resolve();
    if (wasRefused) this.options.onServed(this.namespace ?? '');
    for (const object of this.objects()) this.options.onChange({ type: 'added', object });
  }

  private restarted(kind: string, error: Error): void {
    if (this.isPatient(kind, error)) this.options.onRestart(kind, error.message);
    else this.refuse(kind, error.message);
  }

  private isPatient(kind: string, error: Error): boolean {
    const { patience } = this.options;
    if (patience === undefined || !isForbidden(error)) return true;
    const refusedFor = this.reflectors.find((reflector) => reflector.kind.kind === kind)?.refusedFor() ?? 0;
    return this.state !== 'refused' && refusedFor < patience;
  }

  private refuse(kind: string, reason: string): void {
    const isFirst = this.state !== 'refused';
    const lost = isFirst ? this.giveUp() : [];
    // That the one which goes on trying is refused as well is no news.
    const isNews = isFirst || (kind !== this.reflectors[0]?.kind.kind && !this.told.has(kind));
    this.told.add(kind);
    if (isNews) this.options.onRefused({ namespace: this.namespace ?? '', reason, lost });
  }

  /** Begins anew with empty copies; returns what was in them. */
  private giveUp(): readonly KubeObject[] {
    const lost = this.state === 'open' ? this.objects() : [];
    const before = this.reflectors;
    this.state = 'refused';
    this.reflectors = this.newReflectors();
    for (const reflector of before) void reflector.stop();
    this.refused.resolve();
    this.refused = Promise.withResolvers();
    this.opened = Promise.withResolvers();
    for (const object of lost) this.options.onChange({ type: 'deleted', object });
    this.start();
    return lost;
  }

  private objects(): readonly KubeObject[] {
    return this.reflectors.flatMap(({ store }) => store.list());
  }
}
