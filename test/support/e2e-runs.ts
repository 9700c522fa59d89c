/** Backups and restores of a scene, and what they leave. */

import { secret } from '../../demo/objects.ts';
import type { Backup, BackupSpec } from '../../src/api/backup.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import type { Restore, RestoreSpec } from '../../src/api/restore.ts';
import { waitFor } from '../cluster/wait.ts';
import { isHalted, type Process, processesOf, signal } from './e2e-processes.ts';
import type { Scene } from './e2e-scene.ts';
import { eventually, until, untilComplete } from './e2e-wait.ts';
import { connectionTo, POSTGRES_HOST, sql } from './e2e-world.ts';
import { type Fingerprint, fingerprint } from './postgres-fingerprint.ts';

export async function startBackup(scene: Scene, name: string, over: Partial<BackupSpec> = {}): Promise<void> {
  await scene.kubectl.apply([
    {
      apiVersion: API_VERSION,
      kind: 'Backup',
      metadata: { name },
      spec: {
        source: {
          postgresql: {
            host: POSTGRES_HOST,
            database: scene.database,
            credentials: { secretRef: { name: 'database-login' } },
          },
        },
        storeRef: { name: 'store' },
        ...over,
      },
    },
  ]);
}

export async function backUp(scene: Scene, name: string): Promise<Backup> {
  await startBackup(scene, name);
  return untilComplete<Backup>(scene.kubectl, 'backup', name);
}

/** Where the scene's private key is for restores. */
export const IDENTITY = { secretRef: { name: 'restore-identity', key: 'identity' } };

export function identitySecret(scene: Pick<Scene, 'identity'>): object {
  return secret(IDENTITY.secretRef.name, { [IDENTITY.secretRef.key]: scene.identity });
}

/** In place of the live database, with the app at zero meanwhile; what is replaced is saved first only where a test says so. */
export async function startRestore(
  scene: Scene,
  name: string,
  backup: string,
  over: Partial<RestoreSpec> = {},
): Promise<void> {
  await scene.kubectl.apply([
    identitySecret(scene),
    {
      apiVersion: API_VERSION,
      kind: 'Restore',
      metadata: { name },
      spec: {
        from: { backupRef: { name: backup } },
        onConflict: 'Replace',
        safetyBackup: false,
        scaleDown: { workloads: [{ kind: 'Deployment', name: 'app' }] },
        identity: IDENTITY,
        ...over,
      },
    },
  ]);
}

export async function restore(
  scene: Scene,
  name: string,
  backup: string,
  over: Partial<RestoreSpec> = {},
): Promise<Restore> {
  await startRestore(scene, name, backup, over);
  return untilComplete<Restore>(scene.kubectl, 'restore', name);
}

/** Schema, row counts and checksums of all tables of the scene's database, and its properties. */
export function printOf({ database }: Pick<Scene, 'database'>): Promise<Fingerprint> {
  return fingerprint(connectionTo(database));
}

export interface Deployment {
  readonly metadata: { readonly name: string; readonly uid: string; readonly generation: number };
  readonly spec: { readonly replicas: number };
  readonly status?: { readonly readyReplicas?: number };
}

export async function theApp(scene: Scene): Promise<Deployment> {
  const app = await scene.kubectl.get<Deployment>('deployment', 'app');
  if (app === undefined) throw new Error('the app is gone');
  return app;
}

export function untilAppHas(scene: Scene, replicas: number, seconds = 180): Promise<Deployment> {
  return until<Deployment>(
    scene.kubectl,
    'deployment',
    'app',
    ({ spec, status }) => spec.replicas === replicas && (status?.readyReplicas ?? 0) === replicas,
    { seconds },
  );
}

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
}

/** The runner's pod of the Job that a Backup or a Restore is at, once there is one: the Job is made first. */
export async function podOf(scene: Scene, job: string): Promise<Pod> {
  let pods: readonly Pod[] = [];
  await eventually(`job ${job} has a pod`, async () => {
    pods = await scene.kubectl.list<Pod>('pod', `batch.kubernetes.io/job-name=${job}`);
    return pods.length > 0;
  });
  return pods[0] as Pod;
}

const isLoader = ({ argv }: Process) => argv[0]?.endsWith('pg_restore') === true;

export const loadersIn = (pod: Pod) => processesOf(pod.metadata.uid).filter(isLoader);

/** Half-way through its load, where a restore then stays. There are several programs one after the other, and some are short. */
export async function haltWhileLoading(scene: Scene, name: string): Promise<Pod> {
  const { status } = await until<Restore>(scene.kubectl, 'restore', name, (found) => found.status?.phase === 'Loading');
  const pod = await podOf(scene, status?.jobName ?? '');
  await waitFor(
    async () => {
      const loaders = loadersIn(pod);
      signal(loaders, 'SIGSTOP');
      return loaders.some(isHalted);
    },
    { timeoutMs: 60_000, everyMs: 20, otherwise: () => 'pg_restore is not at work' },
  );
  return pod;
}

/** The databases that belong to the scene's role, its own one left out. */
export async function furtherDatabases(scene: Scene): Promise<string[]> {
  const rows = await sql<{ datname: string }>(
    'postgres',
    'SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = $1 AND datname <> $2 ORDER BY datname',
    [scene.login.role, scene.database],
  );
  return rows.map(({ datname }) => datname);
}

/** Whether nothing of a restore is left in the namespace that would still hold the app. */
export async function scaleLeases(scene: Scene): Promise<string[]> {
  const leases = await scene.kubectl.list<{ metadata: { name: string } }>('lease');
  return leases.map(({ metadata }) => metadata.name);
}
