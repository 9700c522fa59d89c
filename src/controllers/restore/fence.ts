import { instant } from '../../api/conditions.ts';
import type { NewJob } from '../../api/kubernetes.ts';
import { ANNOTATIONS, scaleLeaseName } from '../../api/names.ts';
import { isAtLive } from '../../api/task.ts';
import type { Action } from '../action.ts';
import { taskOf } from '../run-facts.ts';
import { type RestoreFacts, takenWorkloads } from './facts.ts';

/**
 * Before a Job is made that may touch what is live, each scale Lease is told until when it may. Should the Restore go without
 * its ending, and the Job and its pod with it, that is all that is left to know when the app may come back.
 */
export function noteFence(facts: Pick<RestoreFacts, 'restore' | 'workloads'>, job: NewJob): Action[] {
  const task = taskOf(job);
  if (task === undefined || !isAtLive(task) || !('notAfter' in task)) return [];
  const annotations = { [ANNOTATIONS.fence]: instant(new Date(task.notAfter)) };
  const { namespace, uid } = facts.restore.metadata;
  return takenWorkloads(facts).map(({ workload }) => ({
    action: 'annotateLease',
    namespace,
    name: scaleLeaseName(workload),
    holderUid: uid,
    annotations,
  }));
}
