/**
 * The Job controller and the kubelet of an API server that has neither: a test says what becomes of a Job, and its pod
 * and status are written as those two would.
 */
import type { Job, Pod } from '../../src/api/kubernetes.ts';
import type { Report } from '../../src/api/task.ts';
import { now } from '../../src/platform/clock.ts';
import { createObject, patchStatus } from './kube-admin.ts';

/** The pod has run to its end with this report, and the Job is over. */
export async function playJob(kubeconfig: string, job: Job, report: Report): Promise<void> {
  const { namespace = '', name, uid } = job.metadata;
  const template = job.spec['template'] as { metadata: object; spec: object };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...template.metadata,
      name: `${name}-pod`,
      namespace,
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true }],
    },
    spec: template.spec,
  };
  await createObject(kubeconfig, pod);
  await patchStatus(kubeconfig, pod, podStatus(report));
  await patchStatus(
    kubeconfig,
    { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace } },
    jobStatus(report.ok),
  );
}

/** What ended long ago is due again: a store is tried anew an hour after its last probe. */
function thisSecond(): string {
  return now()
    .toISOString()
    .replace(/\.[0-9]+Z$/, 'Z');
}

function podStatus(report: Report): Pod['status'] {
  const exitCode = report.ok ? 0 : 4;
  const at = thisSecond();
  const terminated = { exitCode, message: JSON.stringify(report), startedAt: at, finishedAt: at };
  return {
    phase: report.ok ? 'Succeeded' : 'Failed',
    containerStatuses: [{ name: 'runner', ready: false, restartCount: 0, image: 'x', state: { terminated } }],
  };
}

function jobStatus(ok: boolean): object {
  const at = thisSecond();
  const condition = (type: string) => ({
    type,
    status: 'True',
    reason: 'Played',
    message: 'by the test',
    lastTransitionTime: at,
    lastProbeTime: at,
  });
  const conditions = ok
    ? [condition('SuccessCriteriaMet'), condition('Complete')]
    : [condition('FailureTarget'), condition('Failed')];
  return {
    startTime: at,
    ...(ok ? { completionTime: at, succeeded: 1 } : { failed: 1 }),
    uncountedTerminatedPods: {},
    conditions,
  };
}
