/** What Jobs and their pods tell of the runs that were made for one object of ours. Pure. */
import type { Job, Pod } from '../api/kubernetes.ts';
import { LABELS } from '../api/names.ts';
import { type Command, type Report, type ResultOf, TASK_ANNOTATION, type Task } from '../api/task.ts';
import type { Failure } from '../lib/errors.ts';
import type { Purpose } from '../manifests/runner-job.ts';
import { parseReport } from './report.ts';

/**
 * One run, seen through its Job and its pods.
 *
 * A pod can outlive its Job (somebody deleted the Job; the node is lost), so a run without a Job but with a living pod
 * is still there: `job` is absent then.
 */
export interface RunFacts {
  readonly purpose: Purpose;
  readonly attempt: number;
  readonly name: string;
  readonly job?: { readonly uid: string; readonly created: Date; readonly leaving: boolean };
  /** `active`: the Job is not over. `gone`: there is no Job (any more). */
  readonly state: 'active' | 'succeeded' | 'failed' | 'gone';
  /** When the Job ended; absent while it is active or gone. */
  readonly ended?: Date;
  /** Pods that have not come to an end, those being deleted included. */
  readonly livingPods: number;
  /** Whether a container has ever run. */
  readonly started: boolean;
  /** The newest pod's answer. Absent while there is none, or where it cannot be understood. */
  readonly report?: Report;
  /** What the run was asked to do. */
  readonly task?: Task;
  /** The service account that the pod asks for; absent: the namespace's default, which is always there. */
  readonly serviceAccount?: string;
  /** Why a run without a report failed, or why an active one does not get going. */
  readonly trouble?: Failure;
}

const COMMAND_OF: Readonly<Record<Purpose, Command>> = {
  probe: 'probe',
  backup: 'backup',
  plan: 'plan',
  restore: 'restore',
  cleanup: 'cleanup',
  expire: 'cleanup',
  prune: 'prune',
};

/** Every run of one owner, oldest attempt first. */
export function runFacts(jobs: readonly Job[], pods: readonly Pod[]): RunFacts[] {
  const runs = new Map<string, { purpose: Purpose; attempt: number; job?: Job; pods: Pod[] }>();
  const runOf = (object: Job | Pod) => {
    const purpose = object.metadata.labels?.[LABELS.command];
    const attempt = Number(object.metadata.labels?.[LABELS.attempt]);
    if (purpose === undefined || !(purpose in COMMAND_OF) || !Number.isInteger(attempt)) return undefined;
    const key = `${purpose}/${attempt}`;
    const run = runs.get(key) ?? { purpose: purpose as Purpose, attempt, pods: [] };
    runs.set(key, run);
    return run;
  };
  for (const job of jobs) {
    const run = runOf(job);
    if (run !== undefined) run.job = job;
  }
  for (const pod of pods) runOf(pod)?.pods.push(pod);
  return [...runs.values()].map(facts).sort((a, b) => a.attempt - b.attempt);
}

/** The newest run with this purpose. */
export function newest(runs: readonly RunFacts[], purpose: Purpose): RunFacts | undefined {
  return runs.findLast((run) => run.purpose === purpose);
}

/** The result of a run that ended well. */
export function resultOf<C extends Command>(run: RunFacts | undefined, command: C): ResultOf[C] | undefined {
  const report = run?.report;
  return report?.command === command && report.ok ? (report as Report<C> & { ok: true }).result : undefined;
}

/** Over, with no pod of it left that could still do something. */
export function isOver(run: RunFacts): boolean {
  return run.state !== 'active' && run.livingPods === 0;
}

/** A Job controller makes a pod at once; when there is none after this time, something refuses it. */
export const POD_PATIENCE = 15_000;

/**
 * Why a run under way does not get going. That a pod is refused (a quota, a LimitRange, PodSecurity, a webhook) is told in
 * events only, which the operator may not read: it tells where to look.
 */
export function holdUpOf(run: RunFacts, now: Date): Failure | undefined {
  if (run.trouble !== undefined || run.started || run.livingPods > 0 || run.job === undefined) return run.trouble;
  if (now.getTime() < run.job.created.getTime() + POD_PATIENCE) return undefined;
  const account =
    run.serviceAccount === undefined
      ? ''
      : `the ServiceAccount ${run.serviceAccount} does not exist in the namespace, or `;
  return {
    reason: 'PodNotCreated',
    message: `Job ${run.name} gets no pod: most likely ${account}a ResourceQuota, a LimitRange or PodSecurity of the namespace refuses it.`,
    hint: `kubectl describe job ${run.name} shows the refusal under Events. Once that is mended, the Job goes on by itself.`,
  };
}

function facts(run: { purpose: Purpose; attempt: number; job?: Job; pods: Pod[] }): RunFacts {
  const { job } = run;
  const pods = run.pods.toSorted((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp));
  const condition = job?.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  const state =
    job === undefined
      ? 'gone'
      : condition === undefined
        ? 'active'
        : condition.type === 'Complete'
          ? 'succeeded'
          : 'failed';
  const report = pods
    .map((pod) => parseReport(COMMAND_OF[run.purpose], endOf(pod)?.message))
    .findLast((found) => found !== undefined);
  const trouble = troubleOf(pods.at(-1), condition);
  const task = taskOf(job, pods.at(-1));
  const serviceAccount = serviceAccountOf(job);
  return {
    purpose: run.purpose,
    attempt: run.attempt,
    name: job?.metadata.name ?? pods[0]?.metadata.labels?.['batch.kubernetes.io/job-name'] ?? '',
    ...(job === undefined
      ? {}
      : {
          job: {
            uid: job.metadata.uid,
            created: new Date(job.metadata.creationTimestamp),
            leaving: job.metadata.deletionTimestamp !== undefined,
          },
        }),
    state,
    ...(condition === undefined
      ? {}
      : { ended: new Date(condition.lastTransitionTime ?? job?.metadata.creationTimestamp ?? 0) }),
    livingPods: pods.filter(isAlive).length,
    started: pods.some((pod) => containerOf(pod)?.state?.running !== undefined || endOf(pod) !== undefined),
    ...(report === undefined ? {} : { report }),
    ...(task === undefined ? {} : { task }),
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    ...(trouble === undefined ? {} : { trouble }),
  };
}

function serviceAccountOf(job: Job | undefined): string | undefined {
  const template = job?.spec['template'] as { spec?: { serviceAccountName?: string } } | undefined;
  return template?.spec?.serviceAccountName;
}

function isAlive(pod: Pod): boolean {
  return pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';
}

function containerOf(pod: Pod) {
  return pod.status?.containerStatuses?.find(({ name }) => name === 'runner');
}

function endOf(pod: Pod) {
  return containerOf(pod)?.state?.terminated;
}

/** Written by us, but readable and writable by others: a task that is no JSON is as good as none. */
function taskOf(job: Job | undefined, pod: Pod | undefined): Task | undefined {
  const template = job?.spec['template'] as { metadata?: { annotations?: Record<string, string> } } | undefined;
  const text = template?.metadata?.annotations?.[TASK_ANNOTATION] ?? pod?.metadata.annotations?.[TASK_ANNOTATION];
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Task);
  } catch {
    return undefined;
  }
}

function troubleOf(
  pod: Pod | undefined,
  condition: { readonly type: string; readonly reason?: string; readonly message?: string } | undefined,
): Failure | undefined {
  const end = pod === undefined ? undefined : endOf(pod);
  if (end?.reason === 'OOMKilled') {
    return {
      reason: 'OutOfMemory',
      message: 'The runner was killed because it used more memory than its limit.',
      hint: 'Give the runner more memory (chart value runner.resources) and make a new object.',
    };
  }
  if (condition?.type === 'Failed' && condition.reason === 'DeadlineExceeded') {
    return {
      reason: 'DeadlineExceeded',
      message: 'The Job ran longer than activeDeadlineSeconds allows.',
      hint: 'Give spec.activeDeadlineSeconds a larger value in a new object, or find out what it waited for: kubectl logs of its pod.',
    };
  }
  if (condition?.type === 'Failed') {
    const how =
      end === undefined
        ? (condition.message ?? 'its pod is gone')
        : `exit code ${end.exitCode}${end.signal === undefined ? '' : `, signal ${end.signal}`}`;
    return {
      reason: 'RunnerLost',
      message: `The runner ended without a report: ${how}.`,
      hint: 'Look at the Job and its pod: kubectl describe job, kubectl logs.',
    };
  }
  return pod === undefined ? undefined : startTroubleOf(pod);
}

/** Why a pod has not begun to run. */
function startTroubleOf(pod: Pod): Failure | undefined {
  const waiting = containerOf(pod)?.state?.waiting;
  if (waiting?.reason !== undefined && waiting.reason !== 'ContainerCreating' && waiting.reason !== 'PodInitializing') {
    return {
      reason: waiting.reason,
      message: `The runner's container does not start: ${waiting.message ?? waiting.reason}`,
      hint: `kubectl describe pod ${pod.metadata.name} tells more.`,
    };
  }
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') {
    return {
      reason: scheduled.reason ?? 'Unschedulable',
      message: `The runner's pod finds no node: ${scheduled.message ?? ''}`,
      hint: `kubectl describe pod ${pod.metadata.name} tells more.`,
    };
  }
  return undefined;
}
