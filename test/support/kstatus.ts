/** What kstatus (sigs.k8s.io/cli-utils, v0.37.2) makes of an object of a custom kind: what Flux, Argo CD's Flux-like checks and `kubectl apply` tools go by. */
import type { Condition } from '../../src/api/conditions.ts';

export type Kstatus = 'Current' | 'InProgress' | 'Failed' | 'Terminating';

interface Seen {
  readonly metadata: { readonly generation?: number; readonly deletionTimestamp?: string };
  readonly status?: { readonly observedGeneration?: number; readonly conditions?: readonly Condition[] };
}

/** Its `Compute`: checkGenericProperties, then checkReadyCondition. */
export function kstatus({ metadata, status }: Seen): Kstatus {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  const observed = status?.observedGeneration;
  if (metadata.generation !== undefined && observed !== undefined && observed !== metadata.generation) {
    return 'InProgress';
  }
  const conditions = status?.conditions ?? [];
  for (const condition of conditions) {
    if (condition.type === 'Reconciling' && condition.status === 'True') return 'InProgress';
    if (condition.type === 'Stalled' && condition.status === 'True') return 'Failed';
  }
  const ready = conditions.find(({ type }) => type === 'Ready');
  return ready === undefined || ready.status === 'True' ? 'Current' : 'InProgress';
}
