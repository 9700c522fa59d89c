/** Restores of apps in one namespace of an API server that has nobody to act: the Jobs are played, and can be held. */
import type { Job, KubeObject, Lease } from '../../src/api/kubernetes.ts';
import { LABELS, scaleLeaseName } from '../../src/api/names.ts';
import type { Restore, RestoreSpec, Workload } from '../../src/api/restore.ts';
import type { Report } from '../../src/api/task.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import type { Http } from '../../src/kube/http.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { parseTask } from '../../src/runner/task.ts';
import { waitFor } from '../cluster/wait.ts';
import { aCompleteBackup, aKey, aRestore, aStore } from './builders.ts';
import { createObject, patchStatus } from './kube-admin.ts';
import { createReady, kubectl } from './kube-crds.ts';
import { playJob } from './kube-kubelet.ts';
import { LOADED, PLAN_REPORT } from './restore-world.ts';

const NAMESPACE = 'shop';

const REPORTS: Readonly<Record<string, Report>> = {
  plan: PLAN_REPORT,
  load: LOADED,
  swap: { command: 'swap', ok: true, result: {} },
  cleanup: { command: 'cleanup', ok: true, result: { restored: false } },
};

export class ScalingScene {
  /** Jobs that do not end: `web-swap` is the swap of the Restore `web`. */
  readonly held = new Set<string>();
  /** What a Job says in place of the usual, by the same name; of a Backup's Job, which nobody plays otherwise, what it says at all. */
  readonly says = new Map<string, Report>();
  readonly cluster: KubeCluster;
  private readonly kubeconfig: string;
  private going = true;
  private playing: Promise<void> | undefined;

  constructor(kubeconfig: string, http: Http) {
    this.kubeconfig = kubeconfig;
    this.cluster = new KubeCluster(http);
  }

  kubectl(args: readonly string[], input?: string): Promise<string> {
    return kubectl(this.kubeconfig, ['-n', NAMESPACE, ...args], input);
  }

  async open(): Promise<void> {
    await kubectl(this.kubeconfig, ['create', 'namespace', NAMESPACE]);
    await createReady(this.kubeconfig, aStore(), NAMESPACE);
    await createReady(this.kubeconfig, aKey({ identity: true }), NAMESPACE);
    this.playing = this.play();
  }

  async close(): Promise<void> {
    this.going = false;
    await this.playing;
  }

  create(object: object): Promise<string> {
    return this.kubectl(['create', '-f', '-'], JSON.stringify(object));
  }

  /** A Restore of this name; without a source of a Backup of its own, and a database of its own. */
  async restore(name: string, workloads: readonly Workload[], more: Partial<RestoreSpec> = {}): Promise<void> {
    if (more.from === undefined) await this.backedUp(name);
    const spec = { from: { backupRef: { name } }, scaleDown: { workloads: [...workloads] }, ...more };
    const { apiVersion, kind, spec: wanted } = aRestore({ spec });
    await createObject(this.kubeconfig, { apiVersion, kind, metadata: { name, namespace: NAMESPACE }, spec: wanted });
  }

  /** A Backup of this name, of a database of this name, that is Complete. */
  async backedUp(name: string): Promise<void> {
    const { apiVersion, kind, spec, status } = aCompleteBackup();
    const source = { postgresql: { ...spec.source.postgresql, database: name } };
    const backup = { apiVersion, kind, metadata: { name, namespace: NAMESPACE }, spec: { ...spec, source } };
    await createObject(this.kubeconfig, backup);
    await patchStatus(this.kubeconfig, backup, status);
  }

  /** What a rival that gives this field manager writes: to the object, unless told otherwise. */
  write(resource: string, manager: string, patch: object, subresource: string[] = []) {
    return this.kubectl([
      ...['patch', resource, ...subresource, '--type=merge', `--field-manager=${manager}`],
      ...['-p', JSON.stringify(patch)],
    ]);
  }

  async status(name: string): Promise<Restore['status']> {
    return (await this.cluster.get(KIND.restore, { namespace: NAMESPACE, name }))?.status;
  }

  async condition(name: string, type: string) {
    return (await this.status(name))?.conditions?.find((each) => each.type === type);
  }

  lease(workload: Workload): Promise<Lease | undefined> {
    return this.cluster.get(KIND.lease, { namespace: NAMESPACE, name: scaleLeaseName(workload) });
  }

  async field(resource: string, path: string): Promise<string> {
    return this.kubectl(['get', resource, '-o', `jsonpath=${path}`]);
  }

  async until(what: string, there: () => Promise<boolean>): Promise<void> {
    await waitFor(there, { timeoutMs: 20_000, everyMs: 100, otherwise: () => `never: ${what}` });
  }

  /** Until the Job of the Restore is there: `web`, `load`. */
  async job(name: string, purpose: string): Promise<void> {
    await this.until(`the ${purpose} of ${name}`, async () =>
      (await this.jobs()).some((job) => titleOf(job) === `${name}-${purpose}`),
    );
  }

  /** The same, once it is there. */
  async jobOf(name: string, purpose: string): Promise<Job> {
    await this.job(name, purpose);
    return (await this.jobs()).find((job) => titleOf(job) === `${name}-${purpose}`)!;
  }

  async over(name: string): Promise<Restore['status']> {
    await this.until(`the end of ${name}`, async () => {
      const restore = await this.cluster.get(KIND.restore, { namespace: NAMESPACE, name });
      const isOver = restore?.status?.phase === 'Complete' || restore?.status?.phase === 'Failed';
      return isOver && (restore?.metadata.finalizers ?? []).length === 0;
    });
    return this.status(name);
  }

  jobs(): Promise<readonly Job[]> {
    return this.cluster.list<Job>(KIND.job, { namespace: NAMESPACE });
  }

  private async play(): Promise<void> {
    const played = new Set<string>();
    while (this.going) {
      for (const job of await this.jobs()) {
        const report = this.says.get(titleOf(job)) ?? REPORTS[job.metadata.labels?.[LABELS.command] ?? ''];
        if (report === undefined || played.has(job.metadata.uid) || this.held.has(titleOf(job))) continue;
        played.add(job.metadata.uid);
        // One that is deleted meanwhile is over anyway.
        await playJob(this.kubeconfig, job, report).catch(() => undefined);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** What the runner of a Job is told. */
export function taskOf(job: Job) {
  const { metadata } = job.spec['template'] as { metadata: { annotations: Record<string, string> } };
  return parseTask(metadata.annotations['holdfast.dev/task'] ?? '');
}

function titleOf({ metadata }: KubeObject): string {
  return `${metadata.ownerReferences?.[0]?.name}-${metadata.labels?.[LABELS.command]}`;
}
