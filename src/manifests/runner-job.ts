import type { NewJob } from '../api/kubernetes.ts';
import { API_VERSION } from '../api/meta.ts';
import { jobName, LABELS, MANAGED_BY } from '../api/names.ts';
import { EXIT_CODES, TASK_ANNOTATION, type Task } from '../api/task.ts';
import { type DrillServer, passwdFor, withDrillServer } from './drill-pod.ts';
import { type RunnerPodOptions, runnerPodSpec } from './runner-pod.ts';

/** The object of ours that a Job works for. */
export interface JobOwner {
  readonly kind: 'BackupStore' | 'Backup' | 'BackupSchedule' | 'Restore';
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

export interface RunnerJobRequest extends RunnerPodOptions {
  readonly owner: JobOwner;
  /** What the Job is for; part of its name and a label. Differs from the task's command where one command serves two ends. */
  readonly purpose: Purpose;
  /** 1, 2, …: attempts at the same purpose have names of their own. */
  readonly attempt: number;
  readonly task: Task;
  readonly activeDeadlineSeconds: number;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of a drill: the server that stands beside the runner. */
  readonly server?: DrillServer;
}

/** `expire` is a cleanup that also drops the previous database, once its time is over. */
export type Purpose =
  | 'probe'
  | 'backup'
  | 'plan'
  | 'load'
  | 'check'
  | 'swap'
  | 'cleanup'
  | 'expire'
  | 'catalog'
  | 'prune'
  | 'examine'
  | 'drill';

/** The Job of one attempt. Its name is deterministic: making it twice is making it once. */
export function runnerJob(request: RunnerJobRequest): NewJob {
  const { owner, purpose, attempt, task } = request;
  const labels = {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.component]: 'runner',
    [LABELS.kind]: owner.kind.toLowerCase(),
    [LABELS.owner]: owner.uid,
    [LABELS.command]: purpose,
    [LABELS.attempt]: String(attempt),
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName(owner, purpose, attempt),
      namespace: owner.namespace,
      labels,
      annotations: { ...request.annotations },
      ownerReferences: [
        {
          apiVersion: API_VERSION,
          kind: owner.kind,
          name: owner.name,
          uid: owner.uid,
          controller: true,
          blockOwnerDeletion: false,
        },
      ],
    },
    spec: {
      // The runner's failures are told apart by exit code, and the operator decides about another attempt: the Job itself never tries again…
      backoffLimit: 0,
      activeDeadlineSeconds: request.activeDeadlineSeconds,
      // …but for a pod that the cluster took away (drain, preemption): that is nobody's failure.
      podFailurePolicy: {
        rules: [
          {
            action: 'FailJob',
            onExitCodes: { containerName: 'runner', operator: 'In', values: [EXIT_CODES.notReady, EXIT_CODES.failed] },
          },
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        ],
      },
      // A replacement starts only when its predecessor has ended: two never work at once.
      podReplacementPolicy: 'Failed',
      template: {
        metadata: {
          labels,
          annotations: {
            [TASK_ANNOTATION]: JSON.stringify(task),
            ...(request.server === undefined ? {} : passwdFor(request.server)),
          },
        },
        spec:
          request.server === undefined
            ? runnerPodSpec(request)
            : withDrillServer(runnerPodSpec(request), request.server, request.settings),
      },
    },
  };
}
