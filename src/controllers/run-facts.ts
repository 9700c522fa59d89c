/** What Jobs and their pods tell of the runs that were made for one object of ours. Pure. */
import type { ContainerStatus, Job, JobCondition, Pod } from '../api/kubernetes.ts';
import { FORMER_LOAD, LABELS } from '../api/names.ts';
import { type Command, EXIT_CODES, type Report, type ResultOf, TASK_ANNOTATION, type Task } from '../api/task.ts';
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
  /** `active`: the Job is not over, nor is it certain to end. `gone`: there is no Job (any more). */
  readonly state: 'active' | 'succeeded' | 'failed' | 'gone';
  /** When the Job, or the pod that settles it, ended; absent while it is active or gone. */
  readonly ended?: Date;
  /** Pods that have not come to an end, those being deleted included. */
  readonly livingPods: number;
  /** Of a pod that is being deleted and has not come to an end: by when its node should have ended it. */
  readonly leaving?: { readonly pod: string; readonly node?: string; readonly due: Date };
  /**
   * Its pod went without a word of how its container ended: deleted by force, or with its node. The container may be at work
   * where nobody sees it.
   */
  readonly unaccounted?: true;
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
  load: 'load',
  check: 'check',
  swap: 'swap',
  cleanup: 'cleanup',
  expire: 'cleanup',
  catalog: 'catalog',
  prune: 'prune',
  examine: 'examine',
  drill: 'drill',
};

/**
 * Until 0.2.0 one Job loaded and swapped. One that is at work while the operator is upgraded is waited for as a swap is; its
 * report is of no command of today, so what it came to is asked of the database.
 */
const FORMER: Readonly<Record<string, Purpose>> = { [FORMER_LOAD]: 'swap' };

/** Every run of one owner, oldest attempt first. */
export function runFacts(jobs: readonly Job[], pods: readonly Pod[]): RunFacts[] {
  const runs = new Map<string, { purpose: Purpose; attempt: number; job?: Job; pods: Pod[] }>();
  const runOf = (object: Job | Pod) => {
    const label = object.metadata.labels?.[LABELS.command] ?? '';
    const purpose = FORMER[label] ?? label;
    const attempt = Number(object.metadata.labels?.[LABELS.attempt]);
    if (!Object.hasOwn(COMMAND_OF, purpose) || !Number.isInteger(attempt)) return undefined;
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

/** Why a run that never began was given up. Its Job goes with it, so the way leads to what was said of both, which stays for a while. */
export function neverStarted(run: RunFacts, namespace: string, now: Date): Failure {
  const { reason, message } = holdUpOf(run, now) ?? {
    reason: 'PodNotStarted',
    message: "The runner's pod was not started.",
  };
  return {
    reason,
    message,
    hint: `${eventsOf(run, namespace)} tells why, for about an hour. Mend that, then make a new object.`,
  };
}

/** What {@link neverStarted} says of a pod that was not made, had no node, or no image. */
const NOT_BEGUN: ReadonlySet<string> = new Set([
  ...['PodNotCreated', 'PodNotStarted', 'Unschedulable', 'SchedulerError', 'SchedulingGated'],
  ...['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull', 'ImageInspectError'],
  ...['CreateContainerConfigError', 'CreateContainerError'],
]);

/** Whether a failure tells that the run had not begun when it was given up. */
export function hadNotBegun(failure: Failure | undefined): boolean {
  return failure !== undefined && NOT_BEGUN.has(failure.reason);
}

/** Why a run ended without a word. */
export function runnerLost(run: RunFacts, namespace: string): Failure {
  const isThere = run.job !== undefined && run.state !== 'gone';
  const way = isThere ? `kubectl describe job ${run.name} -n ${namespace}` : eventsOf(run, namespace);
  return (
    run.trouble ?? {
      reason: 'RunnerLost',
      message: `The runner ended without a report${isThere ? '' : `: Job ${run.name} is gone`}.`,
      hint: `${way} tells more.`,
    }
  );
}

/** Of a pod's name so much is that of its Job at the most. */
const POD_HEAD = 57;

/** Of a Job and its pods. */
function eventsOf({ name }: RunFacts, namespace: string): string {
  return `kubectl get events -n ${namespace} | grep ${name.slice(0, POD_HEAD)}`;
}

function facts(run: { purpose: Purpose; attempt: number; job?: Job; pods: Pod[] }): RunFacts {
  const { job } = run;
  const pods = run.pods.toSorted((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp));
  const condition = job?.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  const { state, ended } = endOfRun(job, condition, settledBy(pods.at(-1), COMMAND_OF[run.purpose]));
  const report = pods
    .map((pod) => parseReport(COMMAND_OF[run.purpose], endOf(pod)?.message))
    .findLast((found) => found !== undefined);
  const trouble = troubleOf(pods.at(-1), condition, job);
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
    ...(ended === undefined ? {} : { ended }),
    livingPods: pods.filter(isAlive).length,
    ...leavingOf(pods),
    ...(state !== 'active' && isUnaccounted(pods) ? { unaccounted: true as const } : {}),
    started: pods.some((pod) => containerOf(pod)?.state?.running !== undefined || endOf(pod) !== undefined),
    ...(report === undefined ? {} : { report }),
    ...(task === undefined ? {} : { task }),
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    ...(trouble === undefined ? {} : { trouble }),
  };
}

function leavingOf(pods: readonly Pod[]): Pick<RunFacts, 'leaving'> {
  const pod = pods.find((each) => isAlive(each) && each.metadata.deletionTimestamp !== undefined);
  if (pod === undefined) return {};
  const { nodeName } = pod.spec;
  const due = new Date(pod.metadata.deletionTimestamp ?? '');
  return { leaving: { pod: pod.metadata.name, ...(nodeName === undefined ? {} : { node: nodeName }), due } };
}

function isUnaccounted(pods: readonly Pod[]): boolean {
  return pods.length === 0 || pods.some((pod) => !isAlive(pod) && containerOf(pod)?.state?.running !== undefined);
}

/** A node that answers ends a pod within its grace period, of which the deletion's time is the end. */
const STRANDED_PATIENCE = 60_000;

/** A run whose pod should have ended by now: its node is lost, or cut off. Such a pod never comes back to work. */
export function strandedOf({ leaving }: RunFacts, now: Date): Failure | undefined {
  if (leaving === undefined || now.getTime() < leaving.due.getTime() + STRANDED_PATIENCE) return undefined;
  const { pod, node } = leaving;
  return {
    reason: 'NodeLost',
    message: `Pod ${pod} is Terminating and does not end: ${node === undefined ? 'its node' : `its node ${node}`} does not answer.`,
    hint:
      `kubectl describe node ${node ?? ''}`.trim() +
      ` tells more. Where that machine is off for good: kubectl delete pod ${pod} --force.`,
  };
}

type EndOfRun = Pick<RunFacts, 'state' | 'ended'>;

function endOfRun(job: Job | undefined, condition: JobCondition | undefined, settled: EndOfRun | undefined): EndOfRun {
  if (job === undefined) return { state: 'gone' };
  if (condition === undefined) return settled ?? { state: 'active' };
  return {
    state: condition.type === 'Complete' ? 'succeeded' : 'failed',
    ended: new Date(condition.lastTransitionTime ?? job.metadata.creationTimestamp),
  };
}

/** Exit codes after which the Job's failure policy (manifests/runner-job.ts) leaves no choice: no further pod is made. */
const SETTLING: ReadonlyMap<number, RunFacts['state']> = new Map([
  [EXIT_CODES.ok, 'succeeded'],
  [EXIT_CODES.notReady, 'failed'],
  [EXIT_CODES.failed, 'failed'],
]);

/**
 * What a pod that has ended makes of its Job. The Job controller gathers news of pods for a second before it says the same, and an
 * app at zero waits for each. After any other end (a drain, a kill) only the Job knows whether there will be another pod.
 */
function settledBy(pod: Pod | undefined, command: Command): EndOfRun | undefined {
  const end = pod === undefined || isAlive(pod) ? undefined : endOf(pod);
  if (end === undefined || parseReport(command, end.message) === undefined) return undefined;
  const state = SETTLING.get(end.exitCode);
  return state === undefined
    ? undefined
    : { state, ended: new Date(end.finishedAt ?? pod?.metadata.creationTimestamp ?? 0) };
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
export function taskOf(job: Pick<Job, 'spec'> | undefined, pod?: Pod): Task | undefined {
  const template = job?.spec['template'] as { metadata?: { annotations?: Record<string, string> } } | undefined;
  const text = template?.metadata?.annotations?.[TASK_ANNOTATION] ?? pod?.metadata.annotations?.[TASK_ANNOTATION];
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Task);
  } catch {
    return undefined;
  }
}

function troubleOf(pod: Pod | undefined, condition: JobCondition | undefined, job?: Job): Failure | undefined {
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
  if (pod?.status?.reason === 'Evicted') {
    return {
      reason: 'Evicted',
      message: `The runner's pod was evicted: ${pod.status.message ?? 'the node was short of something'}`,
      hint: 'A drill that needs more disk than target.ephemeral.storage.size allows ends so, and any pod of a node that is full.',
    };
  }
  const failed = pod?.status?.initContainerStatuses?.find(
    ({ state }) => state?.terminated !== undefined && state.terminated.exitCode !== 0,
  );
  if (condition?.type === 'Failed' && end === undefined && failed !== undefined) {
    return {
      reason: 'ServerNotMade',
      message: `The server of the drill could not be made: its container "${failed.name}" ended with exit code ${failed.state?.terminated?.exitCode}${lastWordsOf(failed)}.`,
      hint: "The image must have initdb and postgres on its path, and run as the user of the chart's drill.runAsUser: see target.ephemeral.image.",
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
      hint: `Look at the Job and its pod: ${lookAt(job)}.`,
    };
  }
  return pod === undefined ? undefined : startTroubleOf(pod);
}

function lookAt(job: Job | undefined): string {
  if (job === undefined) return 'kubectl describe job, kubectl logs';
  const { name, namespace } = job.metadata;
  return `kubectl describe job ${name} -n ${namespace}, kubectl logs job/${name} -n ${namespace}`;
}

const STARTING: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing']);

/** Enough for the cause; a condition has room for little more. */
const WORDS = 500;

/** Of the server of a drill, and of what makes it: they have no report, so their last lines are what they say. */
function lastWordsOf(container: ContainerStatus | undefined): string {
  const end = container?.state?.terminated ?? container?.lastState?.terminated;
  const words = (end?.message ?? '').trim().split('\n').slice(-3).join(' ').slice(-WORDS);
  if (end?.reason === 'OOMKilled') return '; it was killed because it used more memory than its limit';
  return words === '' || container?.name === 'runner' ? '' : `; it said: ${words}`;
}

/** Why a pod has not begun to run. Of a drill also why its server has not. */
function startTroubleOf(pod: Pod): Failure | undefined {
  for (const container of [...(pod.status?.initContainerStatuses ?? []), containerOf(pod)]) {
    const waiting = container?.state?.waiting;
    if (waiting?.reason === undefined || STARTING.has(waiting.reason)) continue;
    const whose = container?.name === 'runner' ? "The runner's container" : `The container "${container?.name}"`;
    return {
      reason: waiting.reason,
      message: `${whose} does not start: ${waiting.message ?? waiting.reason}${lastWordsOf(container)}`,
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
