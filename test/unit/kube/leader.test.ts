import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Lease, LeaseSpec, NewObject } from '../../../src/api/kubernetes.ts';
import type { Cluster } from '../../../src/kube/cluster.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { LEADER_TIMINGS, LeaderElection } from '../../../src/kube/leader.ts';

/** One Lease, with an API server's rules about versions, that can be cut off. */
class LeaseServer {
  lease: Lease | undefined;
  isDown = false;
  writes: string[] = [];
  private version = 0;

  get cluster(): Cluster {
    return { get: this.get, create: this.create, updateLease: this.updateLease } as unknown as Cluster;
  }

  /** A person's edit. */
  edit(spec: LeaseSpec): void {
    if (this.lease !== undefined) this.lease = { ...this.stamped(this.lease), spec };
  }

  private readonly get = async (): Promise<Lease | undefined> => {
    this.mustBeUp();
    return this.lease;
  };

  private readonly create = async (object: NewObject): Promise<Lease> => {
    this.mustBeUp();
    if (this.lease !== undefined)
      throw new KubeError('POST', { status: 409, reason: 'AlreadyExists', message: 'taken' });
    this.lease = this.stamped(object as unknown as Lease);
    this.writes.push(this.lease.spec?.holderIdentity ?? '');
    return this.lease;
  };

  private readonly updateLease = async (seen: Lease, spec: LeaseSpec): Promise<Lease> => {
    this.mustBeUp();
    if (this.lease === undefined) throw new KubeError('PUT', { status: 404, reason: 'NotFound', message: 'gone' });
    if (this.lease.metadata.resourceVersion !== seen.metadata.resourceVersion) {
      throw new KubeError('PUT', { status: 409, reason: 'Conflict', message: 'stale' });
    }
    this.lease = { ...this.stamped(seen), spec };
    this.writes.push(spec.holderIdentity ?? '');
    return this.lease;
  };

  private mustBeUp(): void {
    if (this.isDown) throw new KubeError('x', { status: 0, message: 'cut off' });
  }

  private stamped(lease: Lease): Lease {
    this.version += 1;
    return { ...lease, metadata: { ...lease.metadata, resourceVersion: String(this.version) } };
  }
}

/** A process that wants to lead; its wall clock may be wrong, and its monotonic clock starts anywhere. */
class Candidate {
  readonly log: string[] = [];
  readonly election: LeaderElection;

  constructor(server: LeaseServer, identity: string, skew = 0) {
    const start = performance.now() - skew;
    this.election = new LeaderElection(server.cluster, {
      namespace: 'n',
      identity,
      onElected: () => this.log.push('elected'),
      onLost: () => this.log.push('lost'),
      clock: { monotonic: () => performance.now() - start, now: () => new Date(Date.now() + skew) },
    });
  }
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

const seconds = (n: number) => jest.advanceTimersByTimeAsync(n * 1_000);

describe('leader election', () => {
  test('the first to come leads, the second waits as long as the first renews', async () => {
    const server = new LeaseServer();
    const [a, b] = [new Candidate(server, 'a'), new Candidate(server, 'b')];
    a.election.start();
    await seconds(1);
    b.election.start();
    await seconds(600);
    expect([a.log, b.log]).toEqual([['elected'], []]);
    expect([a.election.isLeader(), b.election.isLeader()]).toEqual([true, false]);
  });

  test.each([-3_600_000, 0, 3_600_000])(
    'a leader that vanishes is followed within 20 s, also with clocks %s ms apart',
    async (skew) => {
      const server = new LeaseServer();
      const [a, b] = [new Candidate(server, 'a'), new Candidate(server, 'b', skew)];
      a.election.start();
      await seconds(1);
      b.election.start();
      await seconds(30);
      server.isDown = true;
      await seconds(1);
      expect(b.log).toEqual([]);
      // As seen by b only: a is gone, and b reaches the server.
      a.election.mustHold();
      const gone = a.election as unknown as { stopping: AbortController };
      gone.stopping.abort();
      server.isDown = false;
      await seconds(13);
      expect(b.log).toEqual([]);
      await seconds(6);
      expect(b.log).toEqual(['elected']);
    },
  );

  test('a leader that cannot renew is over before anybody else can be elected', async () => {
    const server = new LeaseServer();
    const a = new Candidate(server, 'a');
    a.election.start();
    await seconds(30);
    server.isDown = true;
    await seconds(LEADER_TIMINGS.renewDeadline / 1_000 - 3);
    expect(a.log).toEqual(['elected']);
    await seconds(3);
    expect(a.log).toEqual(['elected', 'lost']);
    expect(a.election.isLeader()).toBe(false);
  });

  test('a process that was stopped for longer than its lease may not write, and ends, at its first step', async () => {
    const server = new LeaseServer();
    let stopped = 0;
    const log: string[] = [];
    const election = new LeaderElection(server.cluster, {
      namespace: 'n',
      identity: 'a',
      onElected: () => log.push('elected'),
      onLost: () => log.push('lost'),
      clock: { monotonic: () => performance.now() + stopped, now: () => new Date() },
    });
    election.start();
    await seconds(1);
    expect(() => election.mustHold()).not.toThrow();
    // No timer fires meanwhile, as under SIGSTOP or in a blocked event loop.
    stopped = LEADER_TIMINGS.renewDeadline;
    expect(() => election.mustHold()).toThrow('does not lead');
    expect(log).toEqual(['elected', 'lost']);
  });

  test('a Lease that another took is noticed at the next renewal', async () => {
    const server = new LeaseServer();
    const a = new Candidate(server, 'a');
    a.election.start();
    await seconds(1);
    server.edit({ holderIdentity: 'intruder', leaseDurationSeconds: 15 });
    await seconds(2);
    expect(a.log).toEqual(['elected', 'lost']);
  });

  test('a Lease that a person labelled stays ours', async () => {
    const server = new LeaseServer();
    const a = new Candidate(server, 'a');
    a.election.start();
    await seconds(1);
    server.edit(server.lease?.spec ?? {});
    await seconds(60);
    expect(a.log).toEqual(['elected']);
    expect(a.election.isLeader()).toBe(true);
  });

  test.each(['emptied', 'deleted'])(
    'while a leader may not know that its Lease was %s, nobody else takes it',
    async (how) => {
      const server = new LeaseServer();
      const [a, b] = [new Candidate(server, 'a'), new Candidate(server, 'b')];
      a.election.start();
      await seconds(0.5);
      b.election.start();
      // Just after a renewal of a and just before a try of b.
      await seconds(9.8);
      if (how === 'emptied') server.edit({ holderIdentity: '', leaseDurationSeconds: 15 });
      else server.lease = undefined;
      for (let i = 0; i < 300; i += 1) {
        await seconds(0.1);
        expect([a.election.isLeader(), b.election.isLeader()]).not.toEqual([true, true]);
      }
      expect([a.election.isLeader(), b.election.isLeader()].filter(Boolean)).toHaveLength(1);
    },
  );

  test('a Lease that is given up is taken at the next try', async () => {
    const server = new LeaseServer();
    const [a, b] = [new Candidate(server, 'a'), new Candidate(server, 'b')];
    a.election.start();
    await seconds(1);
    b.election.start();
    await seconds(30);
    const released = a.election.release();
    await seconds(0);
    await released;
    expect(a.election.isLeader()).toBe(false);
    await seconds(2);
    expect([a.log, b.log]).toEqual([['elected'], ['elected']]);
    const written = server.writes.length;
    await seconds(4);
    expect(server.writes.slice(written).every((holder) => holder === 'b')).toBe(true);
  });

  test('a renewal that takes long counts from its start', async () => {
    const server = new LeaseServer();
    const update = server.cluster.updateLease;
    const slow = {
      ...server.cluster,
      updateLease: async (seen: Lease, spec: LeaseSpec) => {
        const answer = await update(seen, spec);
        await new Promise((resolve) => setTimeout(resolve, 7_000));
        return answer;
      },
    } as unknown as Cluster;
    const log: string[] = [];
    const election = new LeaderElection(slow, {
      namespace: 'n',
      identity: 'a',
      onElected: () => log.push('elected'),
      onLost: () => log.push('lost'),
    });
    election.start();
    await seconds(11.5);
    expect(election.isLeader()).toBe(true);
    // The renewal began at 2 s and was answered at 9 s: it holds until 12 s, not until 19 s.
    await seconds(1);
    expect(log).toEqual(['elected', 'lost']);
  });
});
