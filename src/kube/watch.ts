import type { KubeObject } from '../api/kubernetes.ts';
import { messageOf } from '../lib/errors.ts';
import { monotonic } from '../platform/clock.ts';
import { delay } from '../platform/delay.ts';
import { type Backoff, backoffTime } from './backoff.ts';
import { listAll } from './client.ts';
import { isForbidden, isGone, KubeError, NO_ANSWER } from './errors.ts';
import type { Http } from './http.ts';
import type { KindRef } from './kinds.ts';
import { lines } from './lines.ts';
import { collectionPath } from './paths.ts';
import { type Change, LocalStore } from './store.ts';

export interface WatchTimings {
  /** Seconds after which the API server itself ends a watch; up to as much again is added at random, so that watches do not end together. */
  readonly serverSeconds: number;
  /** Milliseconds of silence after which a connection is taken for dead. Bookmarks come about every minute. */
  readonly silence: number;
  /** Milliseconds after which a watch that ended is begun with a new list, to heal what no event told (a proxy that lost a line). */
  readonly relistAfter: number;
  readonly backoff: Backoff;
  /** Longer than this, a watch that ended was healthy: it goes on at once. */
  readonly healthy: number;
}

const WATCH_TIMINGS: WatchTimings = {
  serverSeconds: 300,
  silence: 150_000,
  relistAfter: 900_000,
  backoff: { base: 500, cap: 30_000 },
  healthy: 1_000,
};

/** Refused so often in a row, the resourceVersion itself is distrusted: an API server that was set back refuses it for ever. */
const REFUSALS_BEFORE_RELIST = 3;

export interface WatchOptions<T extends KubeObject> {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  /** Called for each change, after the store has it. What it throws ends the operator (see `onFatal`), not the watch alone. */
  readonly onChange: (change: Change<T>) => void;
  /** Called each time a list is in, after its changes. What it throws ends the operator, too. */
  readonly onListed?: () => void;
  /** Called with the reason each time the watch has to begin anew for another reason than its regular end. */
  readonly onRestart?: (reason: string, error: Error) => void;
  /** A bug of ours. It must end the process. */
  readonly onFatal: (error: unknown) => void;
  readonly timings?: Partial<WatchTimings>;
  readonly random?: () => number;
}

/** A line was not what the API server writes. What it was is open, so the content is listed anew. */
class Garbled extends Error {}

/** The wait for it was pause enough. */
class Silence extends Error {}

/**
 * Keeps a local copy of all objects of a kind, for as long as the process lives.
 *
 * It lists (in pages, never from a stale cache), watches from there with bookmarks, and goes on from the last
 * resourceVersion when a watch ends. Whatever happens (410, a cut or silent connection, broken JSON, any error of any
 * call), it tries again with back-off and for ever; where events may be lost it lists anew and tells what was deleted
 * meanwhile. What it has told once it does not tell again.
 */
export class Reflector<T extends KubeObject> {
  readonly kind: KindRef<T>;
  readonly store = new LocalStore<T>();
  private readonly http: Http;
  private readonly options: WatchOptions<T>;
  private readonly timings: WatchTimings;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  /** Where the next watch begins; none: list first. */
  private version: string | undefined;
  private listed = 0;
  private failures = 0;
  private refusals = 0;
  private lastStep = monotonic();
  /** When the first of the refusals (403) came that no watch has put an end to. */
  private refusedSince: number | undefined;
  /** Ends the watch, or the pause, that is under way. */
  private interrupt = new AbortController();
  /** Who asked for a list that begins after their call. */
  private asked: (() => void)[] = [];

  constructor(http: Http, kind: KindRef<T>, options: WatchOptions<T>) {
    this.http = http;
    this.kind = kind;
    this.options = options;
    this.timings = { ...WATCH_TIMINGS, ...options.timings };
  }

  start(): void {
    this.running ??= this.run().catch((error: unknown) => this.options.onFatal(error));
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Lists anew; resolves when the copy is at least as new as this call. */
  refresh(): Promise<void> {
    return new Promise((resolve) => {
      this.asked.push(resolve);
      this.interrupt.abort();
    });
  }

  /** Milliseconds since it last began, heard or tried something. During an outage it tries; only a stuck one grows old. */
  idleFor(): number {
    return this.running === undefined ? 0 : monotonic() - this.lastStep;
  }

  /** Milliseconds for which the API server has let it in nowhere; 0: it is not refused. An answer that was lost says nothing. */
  refusedFor(): number {
    return this.refusedSince === undefined ? 0 : Math.max(1, monotonic() - this.refusedSince);
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const begun = monotonic();
      this.interrupt = new AbortController();
      const reason = await this.step();
      if (this.stopping.signal.aborted) return;
      const ended = reason === undefined || reason instanceof Silence;
      const healthy = ended && monotonic() - begun >= this.timings.healthy;
      this.failures = healthy ? 0 : this.failures + 1;
      if (healthy) this.refusals = 0;
      if (isForbidden(reason)) this.refusedSince ??= monotonic();
      if (reason !== undefined) this.options.onRestart?.(reason.message, reason);
      // A connection that fails says nothing about the resourceVersion.
      if (!healthy && isAnswered(reason)) this.refusals += 1;
      if (this.refusals >= REFUSALS_BEFORE_RELIST) this.version = undefined;
      if (!healthy) await delay(this.pause(reason), AbortSignal.any([this.interrupt.signal, this.stopping.signal]));
    }
  }

  /** Lists if need be, then watches until the watch ends. Returns why it ended badly; never throws but for a bug of ours. */
  private async step(): Promise<Error | undefined> {
    this.lastStep = monotonic();
    try {
      if (this.version === undefined || this.asked.length > 0) await this.relist();
      await this.watch();
      if (monotonic() - this.listed > this.timings.relistAfter) this.version = undefined;
      return undefined;
    } catch (caught) {
      if (caught instanceof HandlerError) throw caught.cause;
      if (isGone(caught) || caught instanceof Garbled) this.version = undefined;
      return caught instanceof Error ? caught : new Error(messageOf(caught));
    }
  }

  private pause(reason: Error | undefined): number {
    const random = this.options.random ?? Math.random;
    const asked = reason instanceof KubeError ? (reason.retryAfter ?? 0) : 0;
    return Math.max(asked, backoffTime(this.timings.backoff, this.failures, random));
  }

  private async relist(): Promise<void> {
    const { namespace, labelSelector } = this.options;
    const served = this.asked.length;
    const { items, resourceVersion } = await listAll(this.http, this.kind, {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
    });
    this.listed = monotonic();
    this.version = resourceVersion;
    this.refusals = 0;
    this.tell(this.store.replace(items.map(lean), resourceVersion));
    handled(() => this.options.onListed?.());
    for (const resolve of this.asked.splice(0, served)) resolve();
  }

  private async watch(): Promise<void> {
    const connection = new AbortController();
    const ended = AbortSignal.any([this.interrupt.signal, this.stopping.signal]);
    const signal = AbortSignal.any([connection.signal, ended]);
    const silence = setTimeout(() => connection.abort(), this.timings.silence);
    try {
      const stream = await this.http.stream(this.watchCall(), signal);
      this.refusedSince = undefined;
      const heard = this.heard(stream, silence);
      for await (const line of lines(heard)) this.handle(line);
    } catch (caught) {
      if (caught instanceof HandlerError) throw caught;
      if (ended.aborted) return;
      if (connection.signal.aborted) throw new Silence(`nothing was heard for ${this.timings.silence} ms`);
      throw caught;
    } finally {
      clearTimeout(silence);
      connection.abort();
    }
  }

  /** The stream itself; each chunk puts off the verdict that it is dead. */
  private async *heard(stream: AsyncIterable<Buffer>, silence: NodeJS.Timeout): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      silence.refresh();
      this.lastStep = monotonic();
      yield chunk;
    }
  }

  private watchCall() {
    const { serverSeconds } = this.timings;
    const random = this.options.random ?? Math.random;
    return {
      method: 'GET',
      path: collectionPath(this.kind, this.options.namespace),
      query: {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: this.version,
        timeoutSeconds: String(Math.ceil(serverSeconds * (1 + random()))),
        labelSelector: this.options.labelSelector,
      },
    } as const;
  }

  private handle(line: string): void {
    const event = parseEvent<T>(line);
    if (event.type === 'ERROR') throw errorOf(event.object);
    const version = event.object.metadata.resourceVersion;
    if (event.type === 'BOOKMARK') this.store.reached(version);
    else if (event.type === 'DELETED') this.tell(this.store.removed(lean(event.object)));
    else this.tell(this.store.seen(lean(event.object)));
    // Only now: an event that was not handled must come again.
    this.version = version;
    this.failures = 0;
    this.refusals = 0;
  }

  private tell(changes: readonly Change<T>[]): void {
    for (const change of changes) handled(() => this.options.onChange(change));
  }
}

function handled(handler: () => void): void {
  try {
    handler();
  } catch (cause) {
    throw new HandlerError('a handler of changes failed', { cause });
  }
}

/** Whether the API server, or something in its place, answered; a watch that ends at once without a reason counts. */
function isAnswered(reason: Error | undefined): boolean {
  return reason === undefined || (reason instanceof KubeError && reason.status !== NO_ANSWER);
}

class HandlerError extends Error {}

interface ErrorStatus {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}

type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly object: ErrorStatus | null };

function parseEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  let event: WatchEvent<T>;
  try {
    event = JSON.parse(line) as WatchEvent<T>;
  } catch (cause) {
    throw new Garbled(`a line of the watch is no JSON (${messageOf(cause)})`);
  }
  const isError = event?.type === 'ERROR' && typeof event.object === 'object';
  const isObject =
    ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'].includes(event?.type) &&
    typeof (event.object as T | undefined)?.metadata?.resourceVersion === 'string';
  if (!isError && !isObject) throw new Garbled('a line of the watch is no event');
  return event;
}

function errorOf(status: ErrorStatus | null): KubeError {
  return new KubeError('watch', {
    status: status?.code ?? 500,
    message: status?.message ?? 'the API server ended the watch with an error',
    ...(status?.reason === undefined ? {} : { reason: status.reason }),
  });
}

/** Without what nobody reads: managedFields are half the bytes of a small object. */
export function lean<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown };
  return { ...object, metadata };
}
