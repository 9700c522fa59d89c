import type { Lease, LeaseSpec } from '../api/kubernetes.ts';
import { messageOf } from '../lib/errors.ts';
import { monotonic, now } from '../platform/clock.ts';
import { delay } from '../platform/delay.ts';
import type { Cluster } from './cluster.ts';
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import { microTime } from './event.ts';
import { KIND } from './kinds.ts';

export const LEADER_LEASE = 'holdfast-leader';

export interface LeaderTimings {
  /** Milliseconds without a renewal after which another may take the Lease. */
  readonly lease: number;
  /** Milliseconds after the start of its last renewal at which a leader gives up; the rest of the lease is for writes under way. */
  readonly renewDeadline: number;
  /** Milliseconds between two tries. */
  readonly retry: number;
}

export const LEADER_TIMINGS: LeaderTimings = { lease: 15_000, renewDeadline: 10_000, retry: 2_000 };

export interface LeaderOptions {
  readonly namespace: string;
  /** Differs from every other process's, also from an earlier one in the same pod. */
  readonly identity: string;
  readonly onElected: () => void;
  /** The process must end in this very call. */
  readonly onLost: (reason: string) => void;
  readonly onTrouble?: (message: string) => void;
  readonly timings?: LeaderTimings;
  readonly clock?: { monotonic(): number; now(): Date };
}

/** The duration that a leader writes when it gives its Lease up. */
const RELEASED_SECONDS = 1;

/** What another's Lease looked like, and since when by our own clock. */
interface Observation {
  readonly resourceVersion: string;
  readonly since: number;
}

/**
 * One leader at a time, by a Lease.
 *
 * No clock of another machine is trusted: a Lease of somebody else is over when it has not changed for its duration by
 * our own monotonic clock, and ours is held for `renewDeadline` after we *began* the last renewal that succeeded.
 * That is shorter than the duration, so a leader that is stopped, cut off or starved knows by {@link mustHold} that it
 * is over before anybody else can have been elected.
 */
export class LeaderElection {
  private readonly cluster: Cluster;
  private readonly options: LeaderOptions;
  private readonly timings: LeaderTimings;
  private readonly clock: { monotonic(): number; now(): Date };
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private observed: Observation | undefined;
  private held: Lease | undefined;
  /** When the last successful renewal began. */
  private renewed = Number.NEGATIVE_INFINITY;
  private deadline: NodeJS.Timeout | undefined;
  private isLost = false;

  /** `cluster` must not be guarded by this election. */
  constructor(cluster: Cluster, options: LeaderOptions) {
    this.cluster = cluster;
    this.options = options;
    this.timings = options.timings ?? LEADER_TIMINGS;
    this.clock = options.clock ?? { monotonic, now };
  }

  start(): void {
    this.running ??= this.run();
  }

  isLeader(): boolean {
    if (this.isLost) return false;
    return this.held !== undefined && this.clock.monotonic() - this.renewed < this.timings.renewDeadline;
  }

  /** Throws, and ends the process by `onLost`, unless we certainly lead at this instant. Asked before every write. */
  mustHold(): void {
    if (this.isLeader()) return;
    const message = 'this process does not lead';
    if (this.held !== undefined) this.lose('the Lease was not renewed in time');
    throw new Error(message);
  }

  /** Stops trying; a Lease that is held is given up, so that another takes over at once. Only after the last write. */
  async release(): Promise<void> {
    this.stopping.abort();
    await this.running;
    clearTimeout(this.deadline);
    const { held } = this;
    this.held = undefined;
    if (held?.spec === undefined) return;
    const { acquireTime: _, ...rest } = held.spec;
    const spec = {
      ...rest,
      holderIdentity: '',
      leaseDurationSeconds: RELEASED_SECONDS,
      renewTime: microTime(this.clock.now()),
    };
    await this.cluster.updateLease(held, spec).catch((error: unknown) => this.trouble(error));
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.attempt().catch((error: unknown) => this.trouble(error));
      await delay(this.timings.retry, this.stopping.signal);
    }
  }

  private async attempt(): Promise<void> {
    // After a stop (SIGSTOP, a starved machine) the timer of the next try may fire before that of the deadline.
    if (this.held !== undefined && !this.isLeader()) return this.lose('the Lease was not renewed in time');
    const begun = this.clock.monotonic();
    const lease = await this.renewHeld(begun);
    if (lease !== undefined) this.holds(lease, begun);
  }

  /** The Lease as it is after we took or renewed it; undefined: it is another's. */
  private async renewHeld(begun: number): Promise<Lease | undefined> {
    const { held } = this;
    if (held !== undefined) {
      try {
        return await this.cluster.updateLease(held, this.spec(held.spec));
      } catch (error) {
        // Somebody wrote it: perhaps a person's label, perhaps our own write whose answer was lost. Looked at below.
        if (!isConflict(error) && !isNotFound(error)) throw error;
      }
    }
    const found = await this.cluster.get<Lease>(KIND.lease, this.place());
    if (found === undefined) return held !== undefined || this.mayFound(begun) ? this.found() : undefined;
    const { holderIdentity } = found.spec ?? {};
    if (holderIdentity === this.options.identity) return this.cluster.updateLease(found, this.spec(found.spec));
    if (held !== undefined) return this.lose(`the Lease was taken by ${holderIdentity || 'nobody'}`);
    return this.isOver(found, begun) ? this.take(found) : undefined;
  }

  /** Whether another's Lease is over: given up by itself, or unchanged for its whole duration while we looked. */
  private isOver(found: Lease, now: number): boolean {
    const { holderIdentity, leaseDurationSeconds = 0 } = found.spec ?? {};
    // Emptied by a person, its holder may not know yet: then the duration counts.
    if (!holderIdentity && leaseDurationSeconds <= RELEASED_SECONDS) return true;
    // Never shorter than our own, whatever the Lease claims.
    return (
      this.unchangedFor(found.metadata.resourceVersion, now) >=
      Math.max(leaseDurationSeconds * 1000, this.timings.lease)
    );
  }

  /** Where a leader was seen and its Lease is gone, a person deleted it, and the leader may not know yet. */
  private mayFound(now: number): boolean {
    return this.observed === undefined || this.unchangedFor('', now) >= this.timings.lease;
  }

  private unchangedFor(resourceVersion: string, now: number): number {
    if (this.observed?.resourceVersion !== resourceVersion) this.observed = { resourceVersion, since: now };
    return now - this.observed.since;
  }

  private async take(found: Lease): Promise<Lease | undefined> {
    try {
      return await this.cluster.updateLease(found, this.spec(found.spec, true));
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  private async found(): Promise<Lease | undefined> {
    const { namespace, name } = this.place();
    const { apiVersion, kind } = KIND.lease;
    try {
      return await this.cluster.create<Lease>({
        apiVersion,
        kind,
        metadata: { name, namespace },
        ...{ spec: this.spec(undefined, true) },
      });
    } catch (error) {
      if (isAlreadyExists(error)) return undefined;
      throw error;
    }
  }

  private holds(lease: Lease, begun: number): void {
    if (this.isLost) return;
    const first = this.held === undefined;
    this.held = lease;
    this.renewed = begun;
    clearTimeout(this.deadline);
    const left = this.timings.renewDeadline - (this.clock.monotonic() - this.renewed);
    this.deadline = setTimeout(() => this.lose('the Lease could not be renewed in time'), Math.max(0, left));
    if (first && this.isLeader() && !this.stopping.signal.aborted) this.options.onElected();
  }

  /** For good: who lost it once has to begin as another process. */
  private lose(reason: string): undefined {
    clearTimeout(this.deadline);
    if (this.isLost) return undefined;
    this.isLost = true;
    this.stopping.abort();
    this.renewed = Number.NEGATIVE_INFINITY;
    this.options.onLost(reason);
    return undefined;
  }

  private spec(before: LeaseSpec | undefined, taken = false): LeaseSpec {
    const time = microTime(this.clock.now());
    return {
      holderIdentity: this.options.identity,
      leaseDurationSeconds: this.timings.lease / 1000,
      acquireTime: taken ? time : (before?.acquireTime ?? time),
      renewTime: time,
      leaseTransitions: (before?.leaseTransitions ?? 0) + (taken && before !== undefined ? 1 : 0),
    };
  }

  private place() {
    return { namespace: this.options.namespace, name: LEADER_LEASE };
  }

  private trouble(error: unknown): void {
    this.options.onTrouble?.(messageOf(error));
  }
}
