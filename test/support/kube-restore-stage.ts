/**
 * One restore in a namespace of its own on an API server that has nobody to act: the runner, the Job controller and the
 * app's pods are played. The restore can be held in one state for as long as something is done to it there.
 */
import type { Backup } from '../../src/api/backup.ts';
import { isTrue } from '../../src/api/conditions.ts';
import type { Job, KubeObject, Lease, Pod, ScalableWorkload } from '../../src/api/kubernetes.ts';
import { LABELS } from '../../src/api/names.ts';
import type { Restore } from '../../src/api/restore.ts';
import type { Report } from '../../src/api/task.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import { isConflict, isNotFound } from '../../src/kube/errors.ts';
import type { Http } from '../../src/kube/http.ts';
import { KIND, type KindRef, kindOf } from '../../src/kube/kinds.ts';
import { collectionPath, objectPath } from '../../src/kube/paths.ts';
import { messageOf } from '../../src/lib/errors.ts';
import { now } from '../../src/platform/clock.ts';
import { waitFor } from '../cluster/wait.ts';
import type { Asked, Fault } from './api-proxy.ts';
import { aBackup, aCompleteBackup, aKey, aRestore, aStore, BACKED_UP } from './builders.ts';
import { CHECKED, LOADED, PLAN_REPORT } from './restore-world.ts';

export const STATES = [
  'Pending',
  'Resolving',
  'SafetyBackup',
  'Quiescing',
  'Loading',
  'Checking',
  'Swapping',
  'Resuming',
] as const;
export type State = (typeof STATES)[number];

/** What is at work in each state. Of Pending and Quiescing nothing is: the first Job, and the last, is that of the plan. */
const JOB_OF = {
  Pending: 'plan',
  Resolving: 'plan',
  SafetyBackup: 'backup',
  Quiescing: 'plan',
  Loading: 'load',
  Checking: 'check',
  Swapping: 'swap',
  Resuming: 'cleanup',
} as const;

const REPLICAS = 3;
const HOME = 'holdfast-system';
const ROWS = { name: 'rows', sql: 'SELECT count(*) > 0 FROM orders', expect: 'true' };

/** A report; nothing but a dead process; or not yet. */
type Answer = Report | 'killed' | undefined;

export class Stage {
  readonly namespace: string;
  readonly state: State;
  /** Whether the restore stays in its state. */
  held = true;
  /** The live database: who wrote it. */
  live: 'old' | 'new' = 'old';
  /** In place of what a Job would say, until it returns undefined. */
  answer: (purpose: string, job: Job) => Answer | 'as usual' = () => 'as usual';
  /** What {@link Stage.answer} has still to say: whether what a test does to the restore has happened at all. */
  left: readonly unknown[] = [];
  /** How many more requests to scale the app are refused. */
  refuseScale = 0;
  refusals = 0;
  /** Resuming: held before the app comes back, else after it, at the Job that cleans up after a load that failed. */
  readonly resumeAt: 'scale' | 'cleanup';
  private readonly http: Http;
  private readonly cluster: KubeCluster;
  private readonly pods = new Set<string>();
  private ended = false;
  private playing: Promise<void> | undefined;
  private trouble: unknown;

  constructor(http: Http, namespace: string, state: State, resumeAt: 'scale' | 'cleanup') {
    this.http = http;
    this.cluster = new KubeCluster(http);
    this.namespace = namespace;
    this.state = state;
    this.resumeAt = resumeAt;
  }

  /** Everything that a restore needs, and the Restore. */
  async open(): Promise<void> {
    await this.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.namespace } });
    // Before its store, so that nobody begins with it before it is said to be over.
    await this.createWithStatus(KIND.backup, { ...aCompleteBackup(), spec: this.backupSpec() });
    await this.openStore();
    if (this.state !== 'Pending') await this.makeKey();
    await this.create(this.app());
    this.playing = this.play();
    const { apiVersion, kind, spec } = aRestore();
    const restore = { ...spec, safetyBackup: true, checks: [ROWS] };
    await this.create({ apiVersion, kind, metadata: { name: 'back', namespace: this.namespace }, spec: restore });
  }

  openStore(): Promise<void> {
    return this.createWithStatus(KIND.backupStore, aStore());
  }

  /** What the restore is Pending for; its first Job is still held. */
  async letIn(): Promise<void> {
    await this.makeKey();
    await this.until(async () => (await this.job()) !== undefined, 'had no first Job');
  }

  async close(): Promise<void> {
    this.ended = true;
    await this.playing;
  }

  /** A Backup of the same database, as anybody may make one. */
  async makeBackup(metadata: {
    readonly name: string;
    readonly labels?: object;
    readonly annotations?: object;
  }): Promise<void> {
    const { apiVersion, kind } = aBackup();
    await this.create({ apiVersion, kind, metadata, spec: this.backupSpec() });
  }

  backup(name: string): Promise<Backup | undefined> {
    return this.cluster.get(KIND.backup, { namespace: this.namespace, name });
  }

  /** Until the restore is in its state with everything in place that is at work there. */
  async reached(): Promise<void> {
    await this.until(async () => {
      const { phase, failure } = (await this.restore())?.status ?? {};
      if (phase !== this.state) return false;
      if (this.state === 'Pending') return failure?.reason === 'NoIdentity';
      if (this.state === 'Quiescing') return (await this.replicas()) === 0;
      if (this.state === 'Resuming' && this.resumeAt === 'scale') return this.refusals > 0;
      return (await this.job()) !== undefined && this.pods.size > 0;
    }, `never came to ${this.state}`);
  }

  async over(): Promise<void> {
    await this.until(async () => {
      const restore = await this.restore();
      if (restore !== undefined && !isOver(restore)) return false;
      if ((restore?.metadata.finalizers ?? []).length > 0) return false;
      const saved = await this.saved();
      return saved === undefined || isOver(saved);
    }, 'did not end');
  }

  /** Until this is the reason why the restore does not get on. */
  says(reason: string): Promise<void> {
    const found = async () => (await this.restore())?.status?.failure?.reason === reason;
    return this.until(found, `never said ${reason}`);
  }

  restore(): Promise<Restore | undefined> {
    return this.cluster.get(KIND.restore, { namespace: this.namespace, name: 'back' });
  }

  /** The safety backup. */
  async saved(): Promise<Backup | undefined> {
    const backups = await this.cluster.list(KIND.backup, { namespace: this.namespace });
    return backups.find(({ metadata }) => metadata.annotations?.['holdfast.dev/restore'] === 'back');
  }

  /** The newest Job of the state. */
  async job(): Promise<Job | undefined> {
    const jobs = await this.jobs();
    return jobs.findLast(({ metadata }) => metadata.labels?.[LABELS.command] === JOB_OF[this.state]);
  }

  /** What no story may leave behind, and what each must have brought back. */
  async leftovers(): Promise<object> {
    const leases = await this.cluster.list<Lease>(KIND.lease, { namespace: this.namespace });
    const locks = await this.cluster.list<Lease>(KIND.lease, { namespace: HOME });
    const jobs = await this.jobs();
    const database = `pg.shop.svc:5432/${this.database()}`;
    return {
      replicas: await this.replicas(),
      leases: leases.map(({ metadata }) => metadata.name),
      locks: locks.filter(({ metadata }) => metadata.annotations?.['holdfast.dev/database'] === database).length,
      jobsAtWork: jobs.filter(({ status }) => status?.conditions === undefined).map(({ metadata }) => metadata.name),
    };
  }

  deleteRestore(): Promise<void> {
    return this.delete(KIND.restore, 'back');
  }

  async deleteJob(): Promise<void> {
    const job = await this.job();
    if (job === undefined) throw new Error(`${this.namespace} has no Job of ${this.state}`);
    await this.delete(KIND.job, job.metadata.name);
  }

  deleteStore(): Promise<void> {
    return this.delete(KIND.backupStore, aStore().metadata.name);
  }

  /** For a proxy: what becomes of a request. */
  fault({ method, path }: Asked): Fault | undefined {
    const scales = method === 'PUT' && path.includes(`/namespaces/${this.namespace}/`) && path.endsWith('/scale');
    if (!scales || !(this.refuseScale > 0 || this.isHeldAtScale())) return undefined;
    this.refuseScale -= 1;
    this.refusals += 1;
    return { status: 403, reason: 'Forbidden' };
  }

  async until(there: () => Promise<boolean>, what: string): Promise<void> {
    let seen = '';
    const look = async () => {
      seen = JSON.stringify(
        (await this.restore())?.status?.conditions?.map(({ type, status, message }) => [type, status, message]),
      );
      return there();
    };
    await waitFor(look, {
      timeoutMs: 90_000,
      everyMs: 50,
      otherwise: () => `the restore in ${this.namespace} ${what}: ${seen} ${messageOf(this.trouble ?? '')}`,
    });
  }

  /** The first time to scale is down; what is held is the way up. */
  private isHeldAtScale(): boolean {
    return this.held && this.state === 'Resuming' && this.resumeAt === 'scale' && this.hasLoaded;
  }

  private hasLoaded = false;
  private hasKey = false;

  private async makeKey(): Promise<void> {
    this.hasKey = true;
    await this.createWithStatus(KIND.backupKey, { ...aKey({ identity: true }) });
  }

  private async play(): Promise<void> {
    while (!this.ended) {
      try {
        if (!this.held && !this.hasKey) await this.makeKey();
        await this.playApp();
        await this.playJobs();
      } catch (error) {
        // Changed or gone between a look and an act: looked at again.
        if (!isConflict(error) && !isNotFound(error)) this.trouble = error;
      }
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  }

  /** Pods follow the count; held, the last ones are on their way out for as long as it takes. */
  private async playApp(): Promise<void> {
    const wanted = (await this.replicas()) ?? 0;
    const pods = await this.cluster.list<Pod>(KIND.pod, { namespace: this.namespace, labelSelector: 'app=web' });
    for (let index = pods.length; index < wanted; index += 1) await this.create(this.appPod(index));
    if (this.held && this.state === 'Quiescing') return;
    for (const { metadata } of pods.slice(wanted)) await this.delete(KIND.pod, metadata.name);
  }

  private async playJobs(): Promise<void> {
    const jobs = await this.jobs();
    for (const name of this.pods) {
      if (jobs.some(({ metadata }) => metadata.name === name)) continue;
      await this.delete(KIND.pod, `${name}-pod`);
      this.pods.delete(name);
    }
    for (const job of jobs) await this.playJob(job);
  }

  private async playJob(job: Job): Promise<void> {
    const { name, labels } = job.metadata;
    const purpose = labels?.[LABELS.command] ?? '';
    if (job.status?.conditions !== undefined) return;
    if (!this.pods.has(name)) {
      await this.create(podOf(job));
      await this.patchStatus(KIND.pod, `${name}-pod`, running());
      this.pods.add(name);
      return;
    }
    const answer = this.answer(purpose, job);
    const said = answer === 'as usual' ? this.usual(purpose) : answer;
    if (said === undefined) return;
    if (purpose === 'load') this.hasLoaded = true;
    if (purpose === 'swap' && said !== 'killed' && said.ok) this.live = 'new';
    await this.patchStatus(KIND.pod, `${name}-pod`, podEnd(said));
    await this.patchStatus(KIND.job, name, jobEnd(said !== 'killed' && said.ok));
    this.pods.delete(name);
  }

  private usual(purpose: string): Answer {
    if (this.held && this.state !== 'Quiescing' && purpose === JOB_OF[this.state]) return undefined;
    switch (purpose) {
      case 'plan':
        return PLAN_REPORT;
      case 'backup':
        return BACKED_UP;
      case 'load':
        return this.state === 'Resuming' && this.resumeAt === 'cleanup' ? LOAD_FAILED : LOADED;
      case 'check':
        return CHECKED;
      case 'swap':
        return { command: 'swap', ok: true, result: { previousDatabase: 'orders_before_1' } };
      default:
        return { command: 'cleanup', ok: true, result: { restored: this.live === 'new' } };
    }
  }

  private database(): string {
    return `orders-${this.namespace}`;
  }

  /** Each has a database of its own: a lock is one for all namespaces. */
  private backupSpec(): Backup['spec'] {
    const { source, ...rest } = aBackup().spec;
    return { ...rest, source: { postgresql: { ...source.postgresql, database: this.database() } } };
  }

  private app(): object {
    const labels = { app: 'web' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web' }] } };
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: this.namespace },
      spec: { replicas: REPLICAS, selector: { matchLabels: labels }, template },
    };
  }

  private appPod(index: number): object {
    const name = `web-${index}-${Math.trunc(performance.now())}`;
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: this.namespace, labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: 'web' }] },
    };
  }

  private jobs(): Promise<readonly Job[]> {
    return this.cluster.list<Job>(KIND.job, { namespace: this.namespace });
  }

  private async replicas(): Promise<number | undefined> {
    const app = await this.cluster.get<ScalableWorkload>(KIND.deployment, { namespace: this.namespace, name: 'web' });
    return app?.spec.replicas;
  }

  private create(object: object): Promise<KubeObject> {
    const { apiVersion, kind } = object as KubeObject;
    const path =
      kind === 'Namespace' ? '/api/v1/namespaces' : collectionPath(kindOf({ apiVersion, kind }), this.namespace);
    return this.http.json({ method: 'POST', path, body: object });
  }

  private async createWithStatus(kind: KindRef, object: KubeObject & { spec: object; status?: object }): Promise<void> {
    const { apiVersion, kind: name, metadata, spec, status } = object;
    await this.create({
      apiVersion,
      kind: name,
      metadata: { name: metadata.name, namespace: this.namespace },
      spec,
    });
    await this.patchStatus(kind, metadata.name, status ?? {});
  }

  private async patchStatus(kind: KindRef, name: string, status: object): Promise<void> {
    await this.http.json({
      method: 'PATCH',
      path: objectPath(kind, { namespace: this.namespace, name }, 'status'),
      body: { status },
      contentType: 'application/merge-patch+json',
    });
  }

  private async delete(kind: KindRef, name: string): Promise<void> {
    try {
      await this.http.json({
        method: 'DELETE',
        path: objectPath(kind, { namespace: this.namespace, name }),
        body: { gracePeriodSeconds: 0, propagationPolicy: 'Background' },
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

const LOAD_FAILED: Report = {
  command: 'load',
  ok: false,
  retry: false,
  failure: { reason: 'LoadFailed', message: 'pg_restore: no' },
};

function isOver({ status }: Restore | Backup): boolean {
  return isTrue(status?.conditions, 'Complete') || isTrue(status?.conditions, 'Failed');
}

/** An hour ago, so that a pause before the next attempt is over. */
function longAgo(): string {
  return new Date(now().getTime() - 3_600_000).toISOString().replace(/\.[0-9]+Z$/, 'Z');
}

function podOf(job: Job): object {
  const { namespace, name, uid } = job.metadata;
  const template = job.spec['template'] as { metadata: object; spec: object };
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...template.metadata, name: `${name}-pod`, namespace, ownerReferences: [owner] },
    spec: template.spec,
  };
}

const container = (state: object) => ({
  containerStatuses: [{ name: 'runner', ready: false, restartCount: 0, image: 'x', imageID: '', state }],
});

function running(): object {
  return { phase: 'Running', ...container({ running: { startedAt: longAgo() } }) };
}

function podEnd(said: Report | 'killed'): object {
  const times = { startedAt: longAgo(), finishedAt: longAgo() };
  if (said === 'killed')
    return { phase: 'Failed', ...container({ terminated: { exitCode: 137, signal: 9, reason: 'Error', ...times } }) };
  const terminated = { exitCode: said.ok ? 0 : 4, message: JSON.stringify(said), ...times };
  return { phase: said.ok ? 'Succeeded' : 'Failed', ...container({ terminated }) };
}

function jobEnd(ok: boolean): object {
  const at = longAgo();
  const condition = (type: string) => ({
    ...{ type, status: 'True', reason: 'Played', message: 'by the test' },
    ...{ lastTransitionTime: at, lastProbeTime: at },
  });
  return {
    startTime: at,
    ...(ok ? { completionTime: at, succeeded: 1 } : { failed: 1 }),
    uncountedTerminatedPods: {},
    conditions: ok
      ? [condition('SuccessCriteriaMet'), condition('Complete')]
      : [condition('FailureTarget'), condition('Failed')],
  };
}
