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

export interface RunnerPodOptions {
  readonly settings: RunnerSettings;
  /** Names of the Secrets that are mounted, each as a folder with a file per key. */
  readonly secrets: { readonly store?: string; readonly database?: string; readonly identity?: string };
}

/**
 * Measured: the Node process stays below 200 MiB whatever the size of the database; zstd and the database's own tool
 * take some tens of MiB each.
 */
const DEFAULT_RESOURCES: NonNullable<RunnerSettings['resources']> = {
  requests: { cpu: '100m', memory: '256Mi' },
  limits: { memory: '1Gi' },
};

/** For an upload to be aborted or a scratch database to be dropped after SIGTERM. */
const GRACE_SECONDS = 60;

/** The pod of every runner: PodSecurity `restricted`, no API token, Secrets as files. */
export function runnerPodSpec(options: RunnerPodOptions): V1PodSpec {
  const mounted = Object.entries(options.secrets);
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'runner',
        image: options.settings.image,
        imagePullPolicy: options.settings.imagePullPolicy,
        command: ['node', ...RUNNER_NODE_FLAGS, '/holdfast/src/main/runner.ts'],
        env: [
          { name: 'HOLDFAST_ROOT', value: MOUNTS.root },
          { name: 'POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
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
      ...mounted.map(([what, name]) => secretVolume(what, name)),
    ],
  };
}

/**
 * Optional, so that a missing Secret does not leave the pod waiting in silence: the runner itself says what is missing.
 * Readable for every user of this one container, since user and fsGroup are left to the platform and the files belong to root.
 */
function secretVolume(what: string, secretName: string): V1Volume {
  return { name: what, secret: { secretName, optional: true, defaultMode: 0o444 } };
}
