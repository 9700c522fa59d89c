/** How a person brings back a workload that a restore has taken to zero, from what its Lease remembers. Pure. */
import { ANNOTATIONS } from './names.ts';
import { CRON_JOBS } from './workloads.ts';

/** The count to return to; of a CronJob 0 where it was suspended, else 1. Undefined where the Lease does not tell any more. */
export function rememberedCount(annotations: Readonly<Record<string, string>> = {}): number | undefined {
  const replicas = Number.parseInt(annotations[ANNOTATIONS.replicas] ?? '', 10);
  if (Number.isInteger(replicas) && replicas >= 0) return replicas;
  const suspended = annotations[ANNOTATIONS.suspend];
  return suspended === undefined ? undefined : Number(suspended !== 'true');
}

export interface Recovery {
  readonly namespace: string;
  /** As `workloadArgument` names one. */
  readonly workload: string;
  readonly replicas: number | undefined;
  readonly lease: string;
  /** Jobs that may still restore. */
  readonly jobs: readonly string[];
}

/** One line to paste. The runner first: it must not replace the database under an app that runs. */
export function recoveryLine({ namespace, workload, replicas, lease, jobs }: Recovery): string {
  const kubectl = `kubectl --namespace ${namespace}`;
  return [
    ...jobs.map((job) => `${kubectl} delete job ${job} --cascade=foreground`),
    isOfCronJob(workload)
      ? `${kubectl} patch ${workload} --patch '{"spec":{"suspend":${replicas === undefined ? '<true or false>' : replicas === 0}}}'`
      : `${kubectl} scale ${workload.toLowerCase()} --replicas=${replicas ?? '<count>'}`,
    `${kubectl} delete lease ${lease}`,
  ].join(' && ');
}

/** `suspended cronjobs.batch/report`, `took Deployment/web to zero, from 3`. */
export function takenText({ workload, replicas }: Pick<Recovery, 'workload' | 'replicas'>): string {
  if (isOfCronJob(workload)) return `suspended ${workload}`;
  return `took ${workload} to zero, from ${replicas ?? 'a count that its Lease does not tell any more'}`;
}

const [CRON_GROUP] = CRON_JOBS.apiVersion.split('/');

function isOfCronJob(workload: string): boolean {
  return workload.startsWith(`${CRON_JOBS.plural}.${CRON_GROUP}/`);
}
