/** On which nodes an app runs. */
import type { Pod } from '../api/kubernetes.ts';

/** Of pods that have not come to an end; one that has no node yet is on none. Pure. */
export function nodesOf(pods: readonly Pod[]): readonly string[] {
  const names = pods
    .filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
    .flatMap(({ spec }) => spec?.nodeName ?? []);
  return [...new Set(names)].sort();
}
