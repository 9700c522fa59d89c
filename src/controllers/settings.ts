import type { ScalableKind } from '../api/workloads.ts';
import type { DrillSettings } from '../manifests/drill-pod.ts';
import type { RunnerSettings } from '../manifests/runner-pod.ts';

/** What the admin told the operator; facts for every `decide`. Pure. */
export interface Settings {
  /** Name that archives of this cluster are filed under. */
  readonly clusterName: string;
  /** Where the operator runs, its leader Lease and the locks of databases are. */
  readonly namespace: string;
  readonly runner: RunnerSettings;
  readonly drill: DrillSettings;
  /** Kinds that restores may take to zero, beyond Deployments and StatefulSets; absent: none. */
  readonly scalableKinds?: readonly ScalableKind[];
}
