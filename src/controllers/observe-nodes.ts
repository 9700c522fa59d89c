import type { Backup } from '../api/backup.ts';
import type { Pod } from '../api/kubernetes.ts';
import { isCronJob, scalableKindOf } from '../api/workloads.ts';
import { KIND } from '../kube/kinds.ts';
import type { World } from './controller.ts';
import { nodesOf } from './nodes.ts';

/** Where the pods of the app run, for a backup that wants it recorded. A workload that is not there has none. */
export async function observeNodes(
  { cluster, settings }: World,
  { metadata, spec }: Backup,
): Promise<readonly string[]> {
  const { requireSameNodes = false, workloads = [] } = spec.application ?? {};
  if (!requireSameNodes) return [];
  const { namespace } = metadata;
  const pods = await Promise.all(
    workloads.map(async (workload) => {
      const resource = scalableKindOf(workload, settings.scalableKinds ?? []);
      if (resource === undefined || isCronJob(resource)) return [];
      const scale = await cluster.getScale(resource, { namespace, name: workload.name });
      const labelSelector = scale?.status.selector ?? '';
      return labelSelector === '' ? [] : await cluster.list<Pod>(KIND.pod, { namespace, labelSelector });
    }),
  );
  return nodesOf(pods.flat());
}
