/**
 * A world small enough to crash at every step: workloads, Leases and Jobs as plain values, changed by the actions of
 * `decide` only. It stands in for the cluster to inject crashes; what the real API server says to the same actions is
 * the business of the scenario tier.
 */

import type { Restore } from '../../src/api/restore.ts';
import type { Report } from '../../src/api/task.ts';
import type { Action } from '../../src/controllers/action.ts';
import type { LeaseFacts } from '../../src/controllers/leases.ts';
import { decide } from '../../src/controllers/restore/decide.ts';
import { isTerminal, type RestoreFacts } from '../../src/controllers/restore/facts.ts';
import { chooseIdentity } from '../../src/controllers/restore/identity.ts';
import type { RunFacts } from '../../src/controllers/run-facts.ts';
import { aCompleteBackup, aKey, aRestore, aStore, noonPlus, SETTINGS } from './builders.ts';

/** What a Job of each purpose comes to, once it has been at work for a moment. */
export type Fate = (purpose: string, world: RestoreWorld) => Report | 'silence';

/** Seconds that a Job and a pod of the app take to end. */
const WORK = 5;

export class RestoreWorld {
  replicas = 3;
  pods = 3;
  /** The live database: who wrote it. */
  live: 'old' | 'new' = 'old';
  scratch = false;
  restore: Restore | undefined = aRestore({ metadata: { finalizers: [] } });
  now = 0;
  readonly leases = new Map<string, LeaseFacts>();
  readonly jobs = new Map<string, { run: RunFacts; until: number }>();
  /** Actions carried out; the process dies instead of carrying out the one with this number. */
  done = 0;
  readonly fate: Fate;
  readonly crashAt: number;

  constructor(fate: Fate, crashAt = Number.POSITIVE_INFINITY) {
    this.fate = fate;
    this.crashAt = crashAt;
  }

  /** One look of the operator, and a second of time. */
  step(): void {
    if (this.restore !== undefined) this.reconcile(this.restore);
    this.now += 1;
    this.age();
  }

  /** Until the restore is over or gone; the number of looks that took. */
  run(limit = 2_000): number {
    for (let looks = 1; looks <= limit; looks += 1) {
      this.step();
      if (this.restore === undefined) return looks;
      if (isTerminal(this.restore) && (this.restore.metadata.finalizers ?? []).length === 0) return looks;
    }
    return limit;
  }

  deleteRestore(): void {
    if (this.restore === undefined) return;
    const { metadata } = this.restore;
    if ((metadata.finalizers ?? []).length === 0) this.restore = undefined;
    else
      this.restore = {
        ...this.restore,
        metadata: { ...metadata, deletionTimestamp: noonPlus(this.now).toISOString() },
      };
  }

  facts(restore: Restore): RestoreFacts {
    const lease = this.leases.get('scale');
    return {
      restore,
      backup: aCompleteBackup(),
      store: aStore(),
      identity: chooseIdentity(restore, aKey({ identity: true })),
      runs: [...this.jobs.values()].map(({ run }) => run),
      lock: this.leases.get('lock'),
      workloads: [
        {
          workload: { kind: 'Deployment', name: 'web' },
          found: {
            uid: 'web-uid',
            resourceVersion: String(this.now),
            replicas: this.replicas,
            pods: Array.from({ length: this.pods }, (_, i) => `web-${i}`),
          },
          ...(lease === undefined ? {} : { lease }),
        },
      ],
      settings: SETTINGS,
    };
  }

  private reconcile(restore: Restore): void {
    const { actions, status, afterStatus = [] } = decide(this.facts(restore), noonPlus(this.now));
    for (const action of actions) if (!this.carryOut(action)) return;
    if (status !== undefined && this.restore !== undefined) {
      if (this.crash()) return;
      this.restore = { ...this.restore, status };
    }
    for (const action of afterStatus) if (!this.carryOut(action)) return;
  }

  private crash(): boolean {
    this.done += 1;
    return this.done === this.crashAt;
  }

  /** False: the process died first. */
  private carryOut(action: Action): boolean {
    if (this.crash()) return false;
    switch (action.action) {
      case 'createLease': {
        const name = action.lease.metadata.name.includes('scale') ? 'scale' : 'lock';
        const replicas = Number(action.lease.metadata.annotations?.['holdfast.dev/replicas']);
        const { namespace } = action.lease.metadata;
        this.leases.set(name, {
          namespace,
          name,
          uid: name,
          resourceVersion: '1',
          holderUid: aRestore().metadata.uid,
          holder: 'us',
          holderAlive: true,
          replicas,
          acquired: noonPlus(this.now),
        });
        return true;
      }
      case 'deleteLease':
        this.leases.delete(action.name);
        return true;
      case 'scale':
        this.replicas = action.replicas;
        return true;
      case 'createJob':
        this.startJob(action);
        return true;
      case 'deleteJob': {
        const { job: _, ...run } = this.jobs.get(action.name)!.run;
        this.jobs.set(action.name, { run: { ...run, state: 'gone' }, until: this.now + WORK });
        return true;
      }
      default:
        this.setFinalizers(action);
        return true;
    }
  }

  private startJob({ job }: Action & { action: 'createJob' }): void {
    const { name, labels } = job.metadata;
    const purpose = labels?.['holdfast.dev/command'] as RunFacts['purpose'];
    if (this.jobs.has(name)) return;
    if (purpose === 'restore' && this.pods > 0) throw new Error('loading began while a pod of the app was there');
    if (purpose === 'restore') this.scratch = true;
    const template = job.spec['template'] as { metadata: { annotations: Record<string, string> } };
    const task = JSON.parse(template.metadata.annotations['holdfast.dev/task']!);
    const run: RunFacts = {
      purpose,
      attempt: Number(labels?.['holdfast.dev/attempt']),
      name,
      job: { uid: name, created: noonPlus(this.now), leaving: false },
      state: 'active',
      livingPods: 1,
      started: true,
      task,
    };
    this.jobs.set(name, { run, until: this.now + WORK });
  }

  private setFinalizers(action: Action): void {
    if (this.restore === undefined) return;
    const { metadata } = this.restore;
    if (action.action === 'addFinalizer')
      this.restore = { ...this.restore, metadata: { ...metadata, finalizers: [action.finalizer] } };
    if (action.action === 'removeFinalizer') {
      this.restore =
        metadata.deletionTimestamp === undefined
          ? { ...this.restore, metadata: { ...metadata, finalizers: [] } }
          : undefined;
    }
  }

  /** What the cluster does by itself: pods follow the count, Jobs come to their fate. */
  private age(): void {
    if (this.now % WORK === 0) this.pods = this.replicas;
    for (const [name, { run, until }] of this.jobs) {
      if (this.now < until || run.livingPods === 0) continue;
      if (run.state === 'gone') this.jobs.delete(name);
      else this.jobs.set(name, { until, run: this.ended(run) });
    }
  }

  private ended(run: RunFacts): RunFacts {
    if (run.purpose === 'cleanup') this.scratch = false;
    const report = this.fate(run.purpose, this);
    const over = { ...run, livingPods: 0, ended: noonPlus(this.now) };
    if (report === 'silence') return { ...over, state: 'failed' };
    if (run.purpose === 'restore' && report.ok) this.live = 'new';
    if (run.purpose === 'restore') this.scratch = false;
    return { ...over, state: report.ok ? 'succeeded' : 'failed', report };
  }
}

export const PLAN_REPORT: Report = {
  command: 'plan',
  ok: true,
  result: { refusals: [], alreadyRestored: false, server: '17.6', databaseExists: true, objects: 4, bytesNeeded: 100 },
};
