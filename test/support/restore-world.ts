/**
 * A world small enough to crash at every step: workloads, Leases and Jobs as plain values, changed by the actions of
 * `decide` only. It stands in for the cluster to inject crashes; what the real API server says to the same actions is
 * the business of the scenario tier.
 */

import type { Backup } from '../../src/api/backup.ts';
import type { Restore } from '../../src/api/restore.ts';
import type { Report } from '../../src/api/task.ts';
import { isAtLive } from '../../src/api/task.ts';
import type { Action } from '../../src/controllers/action.ts';
import { decide as decideBackup } from '../../src/controllers/backup/decide.ts';
import { type BackupFacts, isTerminal as isBackupOver } from '../../src/controllers/backup/facts.ts';
import { chooseKey } from '../../src/controllers/backup/key.ts';
import { serves } from '../../src/controllers/backup/origin.ts';
import { type LeaseFacts, leaseFacts } from '../../src/controllers/leases.ts';
import { decide } from '../../src/controllers/restore/decide.ts';
import { isTerminal, type RestoreFacts } from '../../src/controllers/restore/facts.ts';
import { chooseIdentity } from '../../src/controllers/restore/identity.ts';
import type { RunFacts } from '../../src/controllers/run-facts.ts';
import { aBackup, aKey, aRestore, aStore, noonPlus, SETTINGS } from './builders.ts';
import { theSource } from './restore-source.ts';

/** Somebody who writes the count whenever it is zero, so often. */
interface Rival {
  readonly to: number;
  times: number;
  /** Only then; absent: always. */
  readonly when?: (world: RestoreWorld) => boolean;
}

const DEPLOYMENTS = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };

/**
 * What a Job of each purpose comes to, once it has been at work for a moment. `vanished`: its pod was deleted by force, so nobody
 * knows whether its runner is still at work.
 */
export type Fate = (purpose: string, world: RestoreWorld) => Report | 'silence' | 'vanished';

const ROWS = { name: 'rows', sql: 'SELECT count(*) > 0 FROM orders', expect: 'true' };

/** Seconds that a Job and a pod of the app take to end. */
const WORK = 5;

export class RestoreWorld {
  replicas = 3;
  pods = 3;
  /** The live database: who wrote it. */
  live: 'old' | 'new' = 'old';
  scratch = false;
  /** A runner at the live database that may be at work where nobody sees it. */
  loose = false;
  restore: Restore | undefined = aRestore({
    spec: { safetyBackup: true, checks: [ROWS] },
    metadata: { finalizers: [] },
  });
  /** The safety backup; its own controller is at work on it. */
  saved: Backup | undefined;
  now = 0;
  rival: Rival | undefined;
  readonly leases = new Map<string, LeaseFacts>();
  /** Annotations of the scale Lease. */
  private said: Record<string, string> = {};
  readonly jobs = new Map<string, { run: RunFacts; until: number; owner: string }>();
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
    if (this.saved !== undefined) this.reconcileBackup(this.saved);
    this.now += 1;
    this.age();
  }

  /** Until the restore is over or gone, and its safety backup over; the number of looks that took. */
  run(limit = 2_000): number {
    for (let looks = 1; looks <= limit; looks += 1) {
      this.step();
      if (this.saved !== undefined && !isBackupOver(this.saved)) continue;
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
      ...theSource(restore, { runs: this.runsOf(restore.metadata.uid) }),
      identity: chooseIdentity(restore, aKey({ identity: true })),
      runs: this.runsOf(restore.metadata.uid),
      ...(this.saved === undefined ? {} : { safetyBackup: this.saved }),
      ...this.lock(),
      workloads: [
        {
          workload: { kind: 'Deployment', name: 'web' },
          resource: DEPLOYMENTS,
          found: {
            uid: 'web-uid',
            resourceVersion: String(this.now),
            replicas: this.replicas,
            pods: Array.from({ length: this.pods }, (_, i) => `web-${i}`),
            writers: [{ manager: 'argocd-controller', time: '2026-11-24T12:00:00Z' }],
          },
          ...(lease === undefined ? {} : { lease }),
        },
      ],
      settings: SETTINGS,
    };
  }

  private runsOf(owner: string): RunFacts[] {
    return [...this.jobs.values()].flatMap((job) => (job.owner === owner ? [job.run] : []));
  }

  private lock(): { lock: LeaseFacts | undefined } {
    const lock = this.leases.get('lock');
    if (lock === undefined) return { lock };
    const restores = this.restore !== undefined && !isTerminal(this.restore) ? [this.restore.metadata.uid] : [];
    const backups = this.saved !== undefined && !isBackupOver(this.saved) ? [this.saved.metadata.uid] : [];
    const works = this.runsOf(lock.holderUid).some(({ livingPods }) => livingPods > 0);
    return { lock: { ...lock, holderAlive: works || [...restores, ...backups].includes(lock.holderUid) } };
  }

  private reconcileBackup(backup: Backup): void {
    const facts: BackupFacts = {
      backup,
      store: aStore(),
      key: chooseKey(undefined, [aKey()]),
      runs: this.runsOf(backup.metadata.uid),
      ...this.lock(),
      ...(serves(backup, this.restore) ? { served: this.restore } : {}),
      earlier: [],
      nodes: [],
      settings: SETTINGS,
    };
    const { actions, status } = decideBackup(facts, noonPlus(this.now));
    for (const action of actions) if (!this.carryOut(action)) return;
    if (status === undefined || this.crash()) return;
    this.saved = { ...backup, status };
  }

  private reconcile(restore: Restore): void {
    const { rows = [], actions, status, afterStatus = [] } = decide(this.facts(restore), noonPlus(this.now));
    for (const action of [...rows.flat(), ...actions]) if (!this.carryOut(action)) return;
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
        const { namespace, annotations = {} } = action.lease.metadata;
        if (name === 'scale') this.said = { ...annotations };
        this.leases.set(name, {
          namespace,
          name,
          uid: name,
          resourceVersion: '1',
          holderUid: action.lease.spec.holderIdentity ?? '',
          holder: 'us',
          holderAlive: true,
          replicas,
          acquired: noonPlus(this.now),
        });
        return true;
      }
      case 'annotateLease':
        return this.annotate(action);
      case 'deleteLease':
        this.leases.delete(action.name);
        return true;
      case 'scale':
        if (action.replicas === 0) this.mustBeSaved('the app went to zero');
        else if (this.loose) throw new Error('the app came back while a runner may be at work on the live database');
        this.replicas = action.replicas;
        return true;
      case 'createBackup':
        this.saved ??= aBackup({
          spec: action.backup.spec,
          metadata: {
            ...action.backup.metadata,
            uid: 'saved-uid',
            creationTimestamp: noonPlus(this.now).toISOString(),
          },
        });
        return true;
      case 'createJob':
        this.startJob(action);
        return true;
      case 'deleteJob': {
        const { run, owner } = this.jobs.get(action.name)!;
        const { job: _, ...rest } = run;
        this.jobs.set(action.name, { run: { ...rest, state: 'gone' }, until: this.now + WORK, owner });
        return true;
      }
      default:
        this.setFinalizers(action);
        return true;
    }
  }

  private annotate({ name, holderUid, annotations }: Action & { action: 'annotateLease' }): boolean {
    if (!name.startsWith('holdfast-scale-')) throw new Error(`${name} is no Lease of a workload`);
    const lease = this.leases.get('scale');
    if (lease?.holderUid !== holderUid) return false;
    const said = { ...this.said, ...annotations };
    this.said = Object.fromEntries(Object.entries(said).filter(([, text]) => text !== undefined)) as Record<
      string,
      string
    >;
    const { uid, namespace, acquired = new Date(0) } = lease;
    const metadata = { name: 'scale', namespace, uid, resourceVersion: '1', creationTimestamp: acquired.toISOString() };
    const object = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' } as const;
    const spec = { holderIdentity: holderUid };
    this.leases.set('scale', leaseFacts({ ...object, metadata: { ...metadata, annotations: this.said }, spec }, true));
    return true;
  }

  private startJob({ job }: Action & { action: 'createJob' }): void {
    const { name, labels } = job.metadata;
    const purpose = labels?.['holdfast.dev/command'] as RunFacts['purpose'];
    if (this.jobs.has(name)) return;
    const touches = purpose === 'load' || purpose === 'swap';
    if (touches && this.pods > 0) throw new Error(`the ${purpose} began while a pod of the app was there`);
    if (touches) this.mustBeSaved(`the ${purpose} began`);
    if (purpose === 'load') this.scratch = true;
    const template = job.spec['template'] as { metadata: { annotations: Record<string, string> } };
    const task = JSON.parse(template.metadata.annotations['holdfast.dev/task']!);
    const { fence } = this.leases.get('scale') ?? {};
    if (isAtLive(task) && fence?.getTime() !== Date.parse(task.notAfter))
      throw new Error(`the ${purpose} began before the Lease had its fence`);
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
    this.jobs.set(name, { run, until: this.now + WORK, owner: labels?.['holdfast.dev/owner-uid'] ?? '' });
  }

  protected mustBeSaved(what: string): void {
    const { refusals = [] } = this.restore?.status?.plan ?? {};
    const isTakenOn = refusals.some(({ reason, forced }) => reason === 'SafetyBackup' && forced);
    if (this.saved?.status?.phase !== 'Complete' && !isTakenOn)
      throw new Error(`${what} before what is live was saved, and nobody was told`);
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
    const { rival } = this;
    const moves = rival !== undefined && rival.times > 0 && this.replicas === 0 && this.leases.has('scale');
    if (moves && rival.when?.(this) !== false) {
      rival.times -= 1;
      this.replicas = rival.to;
    }
    for (const [name, { run, until, owner }] of this.jobs) {
      if (this.now < until || run.livingPods === 0) continue;
      if (run.state === 'gone') this.jobs.delete(name);
      else this.jobs.set(name, { until, run: this.ended(run), owner });
    }
  }

  private ended(run: RunFacts): RunFacts {
    if (run.purpose === 'cleanup') {
      this.scratch = false;
      this.loose = false;
    }
    const report = this.fate(run.purpose, this);
    const over = { ...run, livingPods: 0, ended: noonPlus(this.now) };
    if (report === 'silence') return { ...over, state: 'failed' };
    if (report === 'vanished') {
      this.loose = run.purpose === 'swap';
      return { ...over, state: 'failed', unaccounted: true };
    }
    if (run.purpose === 'swap' && report.ok) this.live = 'new';
    // The runner's own failures leave nothing; only what it loaded well waits for the swap, also for one that could not begin.
    const isUnbegun = !report.ok && report.retry;
    if ((run.purpose === 'swap' && !isUnbegun) || (run.purpose === 'load' && !report.ok)) this.scratch = false;
    return { ...over, state: report.ok ? 'succeeded' : 'failed', report };
  }
}

export const CHECKED: Report = { command: 'check', ok: true, result: { checks: [{ name: 'rows', passed: true }] } };

export const LOADED: Report = { command: 'load', ok: true, result: {} };

export const PLAN_REPORT: Report = {
  command: 'plan',
  ok: true,
  result: { refusals: [], alreadyRestored: false, server: '17.6', databaseExists: true, objects: 4, bytesNeeded: 100 },
};
