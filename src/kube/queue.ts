import { type Backoff, backoffTime } from './backoff.ts';

/** The machine's timer, or a test's. */
export interface Timers {
  /** Milliseconds that only grow. */
  now(): number;
  /** Runs `callback` once after so many milliseconds, unless the returned function is called before. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** What one run says about the next: absent, nothing until somebody adds the key again. */
export type Again = { readonly after: number } | { readonly failed: true; readonly atLeast?: number } | undefined;

export interface QueueOptions {
  readonly concurrency: number;
  readonly backoff: Backoff;
  readonly timers: Timers;
  readonly random?: () => number;
  /** Does the work of one key. What it throws is a bug of ours and goes to `onFatal`. */
  readonly work: (key: string) => Promise<Again>;
  readonly onFatal: (error: unknown) => void;
}

/**
 * News of an object cut its wait after a failure short, since what failed may go now; but our own writes are news too,
 * and a failure that writes something new each time must not become a hot loop.
 */
export const FAILED_KEY_PAUSE = 1_000;

interface Waiting {
  readonly due: number;
  readonly cancel: () => void;
}

/**
 * Work by key. A key is never worked on twice at once; added while it waits it is one, added while it runs it runs once
 * more afterwards. Keys that fail come back with growing waits of their own and hold up nobody else.
 */
export class WorkQueue {
  private readonly options: QueueOptions;
  /** In the order of their turn. */
  private readonly ready = new Set<string>();
  private readonly running = new Set<string>();
  /** Added while they ran. */
  private readonly dirty = new Set<string>();
  private readonly waiting = new Map<string, Waiting>();
  private readonly failures = new Map<string, number>();
  private started = false;
  private stopped = false;
  private onIdle: (() => void) | undefined;

  constructor(options: QueueOptions) {
    this.options = options;
  }

  /** Until then keys are collected only. */
  start(): void {
    this.started = true;
    this.pump();
  }

  /** Keys that wait for their turn now (those that wait for a time are not counted). */
  get depth(): number {
    return this.ready.size + this.dirty.size;
  }

  /** As soon as may be; a key that failed last waits {@link FAILED_KEY_PAUSE} at least. */
  add(key: string): void {
    if (this.stopped) return;
    if (this.running.has(key)) this.dirty.add(key);
    else if (this.failures.has(key)) this.addAfter(key, FAILED_KEY_PAUSE);
    else this.enqueue(key);
  }

  /** Adds it later; of several times the earliest wins. */
  addAfter(key: string, milliseconds: number): void {
    if (this.stopped || this.ready.has(key) || this.dirty.has(key)) return;
    const { timers } = this.options;
    const due = timers.now() + milliseconds;
    const before = this.waiting.get(key);
    if (before !== undefined && before.due <= due) return;
    this.cancel(key);
    const cancel = timers.after(milliseconds, () => {
      this.waiting.delete(key);
      if (this.running.has(key)) this.dirty.add(key);
      else this.enqueue(key);
    });
    this.waiting.set(key, { due, cancel });
  }

  /** No more turns begin; resolves when those under way have ended, or after `limit` milliseconds. True: all ended. */
  drain(limit: number): Promise<boolean> {
    this.stopped = true;
    for (const key of [...this.waiting.keys()]) this.cancel(key);
    this.ready.clear();
    this.dirty.clear();
    if (this.running.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const giveUp = this.options.timers.after(limit, () => resolve(false));
      this.onIdle = () => {
        giveUp();
        resolve(true);
      };
    });
  }

  private enqueue(key: string): void {
    this.cancel(key);
    this.ready.add(key);
    this.pump();
  }

  private cancel(key: string): void {
    this.waiting.get(key)?.cancel();
    this.waiting.delete(key);
  }

  private pump(): void {
    if (!this.started) return;
    for (const key of this.ready) {
      if (this.running.size >= this.options.concurrency) return;
      this.ready.delete(key);
      this.running.add(key);
      this.run(key).catch(this.options.onFatal);
    }
  }

  private async run(key: string): Promise<void> {
    try {
      const again = await this.options.work(key);
      this.running.delete(key);
      this.schedule(key, again);
    } finally {
      this.running.delete(key);
      if (this.dirty.delete(key)) this.add(key);
      this.pump();
      if (this.stopped && this.running.size === 0) this.onIdle?.();
    }
  }

  private schedule(key: string, again: Again): void {
    if (again !== undefined && 'failed' in again) {
      const failures = (this.failures.get(key) ?? 0) + 1;
      this.failures.set(key, failures);
      const wait = backoffTime(this.options.backoff, failures, this.options.random);
      this.addAfter(key, Math.max(again.atLeast ?? 0, wait));
      return;
    }
    this.failures.delete(key);
    if (again !== undefined) this.addAfter(key, again.after);
  }
}

/** The machine's own timers. A wait of more than 24 days, which they would cut to nothing, is cut to a day. */
export function machineTimers(now: () => number): Timers {
  return {
    now,
    after(milliseconds, callback) {
      const timer = setTimeout(callback, Math.min(milliseconds, 86_400_000));
      return () => clearTimeout(timer);
    },
  };
}
