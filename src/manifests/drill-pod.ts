import type {
  V1Container,
  V1EnvVar,
  V1PodSpec,
  V1ResourceRequirements,
  V1SecurityContext,
  V1VolumeMount,
} from '@kubernetes/client-node';
import { MOUNTS, RUNNER_NODE_FLAGS } from '../api/task.ts';
import type { RunnerSettings } from './runner-pod.ts';

/** What the admin of the operator decides about the servers of drills. */
export interface DrillSettings {
  /** With `{major}` where the major version goes. */
  readonly image: string;
  /** Of every container of a drill's pod, so that they can read each other's files. Absent: left to the platform. */
  readonly runAsUser?: number;
}

/** The server that stands beside the runner of a drill. */
export interface DrillServer {
  readonly image: string;
  readonly runAsUser?: number;
  readonly resources?: V1ResourceRequirements;
  /** Bytes that the disk of the node should have free for it. */
  readonly bytes: number;
  /** What it may take at most; absent: no limit. */
  readonly sizeLimit?: string;
}

/** Nobody outside of the pod reaches it. */
export const DRILL_PORT = 5432;

const SECRET = `${MOUNTS.root}/${MOUNTS.drill.split('/')[0]}`;
const PASSWORD = `${MOUNTS.root}/${MOUNTS.drill}`;
const DATA = '/holdfast/server';

/** On the pod, for a file of it: PostgreSQL wants a name for the user that it runs as, and images know few. */
const PASSWD_ANNOTATION = 'holdfast.dev/passwd';

export function passwdFor({ runAsUser }: DrillServer): Readonly<Record<string, string>> {
  return runAsUser === undefined
    ? {}
    : { [PASSWD_ANNOTATION]: `postgres:x:${runAsUser}:${runAsUser}::/tmp:/bin/false\n` };
}

/** Measured for nothing in particular: what a small server has, and room for the indexes of a large one. */
const RESOURCES: V1ResourceRequirements = {
  requests: { cpu: '100m', memory: '256Mi' },
  limits: { memory: '1Gi' },
};

/** Of what ends before the server is up. */
const SMALL: V1ResourceRequirements = { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } };

/** WAL, and what every server has to begin with. */
const BYTES_BESIDE = 1_610_612_736;

/**
 * Nothing of it outlives the pod, so nothing needs to be safe on the disk; what it logs holds no rows; and there is no
 * memory to share but that of one container.
 */
const SERVER_SETTINGS = {
  listen_addresses: '127.0.0.1',
  port: String(DRILL_PORT),
  unix_socket_directories: '',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  archive_mode: 'off',
  jit: 'off',
  dynamic_shared_memory_type: 'mmap',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
} as const;

const LOCKED_DOWN: V1SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

/**
 * The runner's pod with a server beside it. In this order: a password is made, a server with this password, and the server
 * runs, until the runner has ended. No shell and no entry point of the image: any that has PostgreSQL's programs will do.
 */
export function withDrillServer(pod: V1PodSpec, server: DrillServer, runner: RunnerSettings): V1PodSpec {
  const [main, ...others] = pod.containers;
  if (main === undefined) throw new Error('a pod of a runner has a container');
  const { runAsUser } = server;
  const secret: V1VolumeMount = { name: 'drill', mountPath: SECRET, readOnly: true };
  return {
    ...pod,
    securityContext: {
      ...pod.securityContext,
      ...(runAsUser === undefined ? {} : { runAsUser, runAsGroup: runAsUser }),
    },
    initContainers: [
      passwordContainer(runner, { ...secret, readOnly: false }),
      initdbContainer(server, secret),
      serverContainer(server),
    ],
    containers: [{ ...main, volumeMounts: [...(main.volumeMounts ?? []), secret] }, ...others],
    volumes: [
      ...(pod.volumes ?? []),
      { name: 'drill', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      { name: 'server', emptyDir: server.sizeLimit === undefined ? {} : { sizeLimit: server.sizeLimit } },
      { name: 'server-tmp', emptyDir: {} },
      ...(runAsUser === undefined
        ? []
        : [
            {
              name: 'passwd',
              downwardAPI: {
                items: [{ path: 'passwd', fieldRef: { fieldPath: `metadata.annotations['${PASSWD_ANNOTATION}']` } }],
              },
            },
          ]),
    ],
  };
}

function passwordContainer({ image, imagePullPolicy }: RunnerSettings, secret: V1VolumeMount): V1Container {
  return {
    name: 'password',
    image,
    imagePullPolicy,
    command: ['node', ...RUNNER_NODE_FLAGS, '/holdfast/dist/main/drill-password.mjs'],
    env: [{ name: 'HOLDFAST_ROOT', value: MOUNTS.root }],
    resources: SMALL,
    securityContext: LOCKED_DOWN,
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [secret],
  };
}

/** In the plainest locale, which every image has: each database is made with its own. */
function initdbContainer(server: DrillServer, secret: V1VolumeMount): V1Container {
  return {
    ...ofServer(server),
    name: 'initdb',
    command: [
      'initdb',
      `--pgdata=${DATA}/data`,
      '--username=postgres',
      `--pwfile=${PASSWORD}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
    ],
    resources: SMALL,
    volumeMounts: [...serverMounts(server), secret],
  };
}

function serverContainer(server: DrillServer): V1Container {
  const settings = Object.entries(SERVER_SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return {
    ...ofServer(server),
    name: 'server',
    restartPolicy: 'Always',
    command: ['postgres', '-D', `${DATA}/data`, ...settings],
    resources: withDisk(server.resources ?? RESOURCES, server.bytes),
    // The runner is started once this has succeeded.
    startupProbe: {
      exec: { command: ['pg_isready', '--host=127.0.0.1', `--port=${DRILL_PORT}`] },
      periodSeconds: 1,
      timeoutSeconds: 5,
      failureThreshold: 120,
    },
    volumeMounts: [...serverMounts(server)],
  };
}

const ENVIRONMENT: V1EnvVar[] = [{ name: 'LC_ALL', value: 'C' }];

function ofServer({ image }: DrillServer): Omit<V1Container, 'name'> {
  return {
    image,
    imagePullPolicy: 'IfNotPresent',
    env: ENVIRONMENT,
    securityContext: LOCKED_DOWN,
    terminationMessagePolicy: 'FallbackToLogsOnError',
  };
}

function serverMounts({ runAsUser }: DrillServer): readonly V1VolumeMount[] {
  return [
    { name: 'server', mountPath: DATA },
    { name: 'server-tmp', mountPath: '/tmp' },
    ...(runAsUser === undefined
      ? []
      : [{ name: 'passwd', mountPath: '/etc/passwd', subPath: 'passwd', readOnly: true }]),
  ];
}

/** So that the pod comes to a node with room for it, and does not push others off a full one. */
function withDisk(resources: V1ResourceRequirements, bytes: number): V1ResourceRequirements {
  const mebibytes = Math.ceil((bytes + BYTES_BESIDE) / 1_048_576);
  return { ...resources, requests: { 'ephemeral-storage': `${mebibytes}Mi`, ...resources.requests } };
}
