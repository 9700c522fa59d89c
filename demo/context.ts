import type { Kubectl } from './kubectl.ts';
import type { Images } from './objects.ts';

/** A cluster to play in, with every image of the demo within its reach. */
export interface DemoCluster {
  readonly kubeconfig: string;
  /** Absolute paths of the programs that go with it. */
  readonly kubectl: string;
  readonly helm: string;
  readonly images: Images & { readonly holdfast: string };
}

/** What the later steps work with. */
export interface Demo {
  readonly cluster: DemoCluster;
  /** In the demo's namespace. */
  readonly kubectl: Kubectl;
  /** Name of this run's Backup and of its Restore. Objects of earlier runs stay for comparison. */
  readonly name: string;
}

/**
 * Never one that was there before, whatever became of its objects: a restored database remembers the names of its restores,
 * so that the same one does not happen twice.
 */
export function freshName(now: Date): string {
  const [, month, day, time] = now.toISOString().match(/-(\d\d)-(\d\d)T([\d:]+)/) ?? [];
  return `demo-${month}${day}-${time?.replaceAll(':', '')}`;
}
