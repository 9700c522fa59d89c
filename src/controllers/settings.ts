/** What the admin told the operator; facts for every `decide`. Pure. */
export interface Settings {
  /** Name that archives of this cluster are filed under. */
  readonly clusterName: string;
  /** Where the operator runs, its leader Lease and the locks of databases are. */
  readonly namespace: string;
  readonly runner: RunnerSettings;
}

export interface RunnerSettings {
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /** Kubernetes' ResourceRequirements for the runner's container. */
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
}
