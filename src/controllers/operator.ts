import type { KubeObject } from '../api/kubernetes.ts';
import { LABELS } from '../api/names.ts';
import type { Backoff } from '../kube/backoff.ts';
import { KubeError } from '../kube/errors.ts';
import { type Again, machineTimers, type Timers, WorkQueue } from '../kube/queue.ts';
import type { Change } from '../kube/store.ts';
import type { Watches } from '../kube/watches.ts';
import { toHoldfastError } from '../lib/errors.ts';
import { monotonic } from '../platform/clock.ts';
import type { AnyController } from './controller.ts';
import { reconcile, type Tools } from './reconcile.ts';

/** What a pass came to, for log and metrics. */
export interface PassReport {
  readonly kind: string;
  readonly key: string;
  readonly seconds: number;
  readonly error?: { readonly reason: string; readonly message: string; readonly cause: unknown };
}

export interface OperatorOptions {
  readonly controllers: readonly AnyController[];
  readonly tools: Tools;
  readonly watches: Watches;
  readonly onPass: (report: PassReport) => void;
  readonly onFatal: (error: unknown) => void;
  readonly timers?: Timers;
  readonly backoff?: Backoff;
}

/** From a conflict, over in a moment, to a quota, which a person must raise. */
const BACKOFF: Backoff = { base: 200, cap: 60_000 };

/** Objects of one kind that are looked at side by side: reading the API server is most of a look. */
const CONCURRENCY = 4;

interface Line {
  readonly controller: AnyController;
  readonly queue: WorkQueue;
  readonly failures: Map<string, number>;
}

/** A queue for each kind, and what puts which object into it. */
export class Operator {
  private readonly options: OperatorOptions;
  private readonly lines: readonly Line[];

  constructor(options: OperatorOptions) {
    this.options = options;
    this.lines = options.controllers.map((controller) => this.line(controller));
  }

  /** Begins to look. Only as the leader, and with copies that are newer than the last write of any leader before. */
  start(): void {
    const { watches } = this.options;
    for (const { controller, queue } of this.lines) {
      for (const object of watches.storeOf(controller.kind.kind)?.list() ?? []) queue.add(keyOf(object));
      queue.start();
    }
  }

  /** What to look at because something changed: the object itself, the owner that it works for, and whom it concerns. */
  onChange({ type, object }: Change): void {
    const { stores } = this.options.tools.world;
    if (type === 'deleted') this.options.tools.settled.delete(object.metadata.uid);
    const owner = object.metadata.labels?.[LABELS.owner];
    for (const { controller, queue } of this.lines) {
      if (controller.kind.kind === object.kind) queue.add(keyOf(object));
      const owned = owner === undefined ? undefined : this.options.watches.storeOf(controller.kind.kind)?.byUid(owner);
      if (owned !== undefined) queue.add(keyOf(owned));
      for (const { namespace, name } of controller.concerns?.(object, stores) ?? []) queue.add(`${namespace}/${name}`);
    }
  }

  depths(): { readonly kind: string; readonly depth: number }[] {
    const depths = new Map<string, number>();
    // Leases have two controllers.
    for (const { controller, queue } of this.lines) {
      const { kind } = controller.kind;
      depths.set(kind, (depths.get(kind) ?? 0) + queue.depth);
    }
    return [...depths].map(([kind, depth]) => ({ kind, depth }));
  }

  /** Begins nothing more and waits for what is under way. */
  async stop(limit: number): Promise<boolean> {
    const ended = await Promise.all(this.lines.map(({ queue }) => queue.drain(limit)));
    return ended.every(Boolean);
  }

  private line(controller: AnyController): Line {
    const failures = new Map<string, number>();
    const queue = new WorkQueue({
      concurrency: CONCURRENCY,
      backoff: this.options.backoff ?? BACKOFF,
      timers: this.options.timers ?? machineTimers(monotonic),
      onFatal: this.options.onFatal,
      work: (key) => this.work(controller, failures, key),
    });
    return { controller, queue, failures };
  }

  private async work(controller: AnyController, failures: Map<string, number>, key: string): Promise<Again> {
    const { kind } = controller.kind;
    const [namespace = '', name = ''] = key.split('/');
    const object = this.options.watches.storeOf(kind)?.get(namespace, name);
    if (object === undefined) {
      failures.delete(key);
      return undefined;
    }
    const begun = monotonic();
    const report = { kind, key };
    try {
      const after = await reconcile(controller, object, failures.get(key) ?? 0, this.options.tools);
      failures.delete(key);
      this.options.onPass({ ...report, seconds: (monotonic() - begun) / 1000 });
      return after === undefined ? undefined : { after };
    } catch (caught) {
      failures.set(key, (failures.get(key) ?? 0) + 1);
      const { reason, message } = toHoldfastError(caught);
      this.options.onPass({
        ...report,
        seconds: (monotonic() - begun) / 1000,
        error: { reason, message, cause: caught },
      });
      return retry(caught);
    }
  }
}

/**
 * The one place where an error becomes a time to try again. Everything is tried again: what cannot heal by itself
 * (a forbidden call, a quota) heals when somebody acts, and the back-off keeps the asking rare.
 */
function retry(caught: unknown): Again {
  const asked = caught instanceof KubeError ? caught.retryAfter : undefined;
  return { failed: true, ...(asked === undefined ? {} : { atLeast: asked }) };
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
