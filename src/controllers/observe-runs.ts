import type { Job, Pod } from '../api/kubernetes.ts';
import { LABELS } from '../api/names.ts';
import { KIND } from '../kube/kinds.ts';
import type { Purpose } from '../manifests/runner-job.ts';
import type { World } from './controller.ts';
import { newest, type RunFacts, runFacts } from './run-facts.ts';

/**
 * The runs of one object of ours.
 *
 * The local copies may not have a Job yet that was just made. Where the status knows of more attempts than they show, the
 * API server itself is asked, so that being behind is never taken for "somebody deleted the Job".
 */
export async function observeRuns(
  world: World,
  owner: { readonly namespace: string; readonly uid: string },
  attempts: number,
  purpose: Purpose,
): Promise<RunFacts[]> {
  const { jobs, pods } = world.stores;
  const seen = runFacts(jobs.ownedBy(owner.uid), pods.ownedBy(owner.uid));
  if ((newest(seen, purpose)?.attempt ?? 0) >= attempts) return seen;
  const options = { namespace: owner.namespace, labelSelector: `${LABELS.owner}=${owner.uid}` };
  return runFacts(await world.cluster.list<Job>(KIND.job, options), await world.cluster.list<Pod>(KIND.pod, options));
}
