import type { V1PodSpec, V1Volume } from '@kubernetes/client-node';
import { MOUNTS, RUNNER_NODE_FLAGS, TASK_ANNOTATION } from '../api/task.ts';

/** What the admin of the operator decides about every runner. */
export interface RunnerSettings {
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /** Kubernetes' ResourceRequirements for the runner's container. */
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
}

/**
 * A Secret that is mounted as a folder with a file per key: by its name all of it, else only the keys that are named.
 * What is public may be in a ConfigMap.
 */
export type MountedSecret =
  | string
  | { readonly kind?: 'Secret' | 'ConfigMap'; readonly name: string; readonly keys: readonly string[] };

/** Each is mounted at its name in MOUNTS. */
export type RunnerSecrets = Readonly<
  Partial<Record<'store' | 'storeCa' | 'database' | 'databaseCa' | 'databaseCertificate' | 'identity', MountedSecret>>
>;

export interface RunnerPodOptions {
  readonly settings: RunnerSettings;
  readonly secrets: RunnerSecrets;
  /** Of the pod; absent: the namespace's default. */
  readonly serviceAccount?: string;
}

/**
 * Measured: the Node process stays below 200 MiB whatever the size of the database; zstd and the database's own tool
 * take some tens of MiB each.
 */
const DEFAULT_RESOURCES: NonNullable<RunnerSettings['resources']> = {
  requests: { cpu: '100m', memory: '256Mi' },
  limits: { memory: '1Gi' },
};

/**
 * The pod's own identity or none: never the node's role, which any pod could take from the metadata service, nor what a file
 * of the image or a volume might hold.
 */
const CLOUD_ENVIRONMENT = [
  { name: 'AWS_EC2_METADATA_DISABLED', value: 'true' },
  { name: 'AWS_CONFIG_FILE', value: '/dev/null' },
  { name: 'AWS_SHARED_CREDENTIALS_FILE', value: '/dev/null' },
];

/** For an upload to be aborted or a scratch database to be dropped after SIGTERM. */
const GRACE_SECONDS = 60;

/** The pod of every runner: PodSecurity `restricted`, no API token, Secrets as files. */
export function runnerPodSpec(options: RunnerPodOptions): V1PodSpec {
  const mounted = (Object.entries(options.secrets) as [keyof RunnerSecrets, MountedSecret][]).map(
    ([what, secret]) => [MOUNTS[what], secret] as const,
  );
  return {
    restartPolicy: 'Never',
    ...(options.serviceAccount === undefined ? {} : { serviceAccountName: options.serviceAccount }),
    // A token for the API is not needed. What a cloud's webhook adds for its own identity comes beside it.
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'runner',
        image: options.settings.image,
        imagePullPolicy: options.settings.imagePullPolicy,
        command: ['node', ...RUNNER_NODE_FLAGS, '/holdfast/dist/main/runner.mjs'],
        env: [
          { name: 'HOLDFAST_ROOT', value: MOUNTS.root },
          { name: 'POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
          ...CLOUD_ENVIRONMENT,
        ],
        resources: options.settings.resources ?? DEFAULT_RESOURCES,
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'task', mountPath: `${MOUNTS.root}/task`, readOnly: true },
          { name: 'tmp', mountPath: `${MOUNTS.root}/${MOUNTS.temporary}` },
          ...mounted.map(([what]) => ({ name: what, mountPath: `${MOUNTS.root}/${what}`, readOnly: true })),
        ],
      },
    ],
    volumes: [
      {
        name: 'task',
        downwardAPI: {
          items: [{ path: 'task.json', fieldRef: { fieldPath: `metadata.annotations['${TASK_ANNOTATION}']` } }],
        },
      },
      { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
      ...mounted.map(([what, secret]) => secretVolume(what, secret)),
    ],
  };
}

/**
 * Optional, so that a missing Secret does not leave the pod waiting in silence: the runner itself says what is missing.
 * Readable for every user of this one container, since user and fsGroup are left to the platform and the files belong to root.
 */
function secretVolume(what: string, secret: MountedSecret): V1Volume {
  const common = { optional: true, defaultMode: 0o444 };
  if (typeof secret === 'string') return { name: what, secret: { secretName: secret, ...common } };
  const items = secret.keys.map((key) => ({ key, path: key }));
  if (secret.kind === 'ConfigMap') return { name: what, configMap: { name: secret.name, items, ...common } };
  return { name: what, secret: { secretName: secret.name, items, ...common } };
}
