/** Objects for tests: each builder makes a plausible one, and a test says only what matters to it. */
import type { Backup, BackupStatus } from '../../src/api/backup.ts';
import type { BackupKey } from '../../src/api/backup-key.ts';
import type { BackupStore } from '../../src/api/backup-store.ts';
import type { Condition } from '../../src/api/conditions.ts';
import type { Restore, RestoreSpec, RestoreStatus } from '../../src/api/restore.ts';
import type { BackupResult, Report } from '../../src/api/task.ts';
import type { Settings } from '../../src/controllers/settings.ts';

export const NOON = new Date('2026-11-24T12:00:00Z');

export function noonPlus(seconds: number, from = NOON): Date {
  return new Date(from.getTime() + seconds * 1000);
}

export const SETTINGS: Settings = {
  clusterName: 'lodz',
  namespace: 'holdfast-system',
  runner: { image: 'localhost/holdfast:test', imagePullPolicy: 'Never' },
  drill: { image: 'localhost/postgres:{major}', runAsUser: 65532 },
};

const UIDS = { backup: '11111111-aaaa-4bbb-8ccc-000000000001', restore: '22222222-aaaa-4bbb-8ccc-000000000002' };

function metadata(name: string, uid: string, more: object = {}) {
  return {
    name,
    namespace: 'shop',
    uid,
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-11-24T12:00:00Z',
    ...more,
  };
}

export function condition(type: string, status: Condition['status'], reason = 'Said'): Condition {
  return {
    type,
    status,
    reason,
    message: `${type} is ${status}`,
    lastTransitionTime: '2026-11-24T12:00:00Z',
    observedGeneration: 1,
  };
}

export function aStore(more: { ready?: boolean } = {}): BackupStore {
  return {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'BackupStore',
    metadata: metadata('cellar', '33333333-aaaa-4bbb-8ccc-000000000003'),
    spec: {
      s3: {
        endpoint: 's3.example.com',
        region: 'eu-1',
        bucket: 'acme',
        prefix: 'prod',
        credentials: { secretRef: { name: 'bucket' } },
      },
    },
    status: { conditionalWrites: true, conditions: [condition('Ready', more.ready === false ? 'False' : 'True')] },
  };
}

export function aKey(
  more: { name?: string; isDefault?: boolean; ready?: boolean; identity?: boolean } = {},
): BackupKey {
  return {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'BackupKey',
    metadata: metadata(more.name ?? 'team', '44444444-aaaa-4bbb-8ccc-000000000004'),
    spec: {
      recipients: ['age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'],
      default: more.isDefault ?? true,
      ...(more.identity === true ? { identity: { secretRef: { name: 'private', key: 'identity' } } } : {}),
    },
    status: { conditions: [condition('Ready', more.ready === false ? 'False' : 'True')] },
  };
}

export function aBackup(
  more: { status?: BackupStatus; spec?: Partial<Backup['spec']>; metadata?: object } = {},
): Backup {
  return {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Backup',
    metadata: metadata('nightly', UIDS.backup, more.metadata),
    spec: {
      source: { postgresql: { host: 'pg.shop.svc', database: 'orders', credentials: { secretRef: { name: 'pg' } } } },
      storeRef: { name: 'cellar' },
      startDeadline: '1h',
      ...more.spec,
    },
    ...(more.status === undefined ? {} : { status: more.status }),
  };
}

export const BACKUP_RESULT: BackupResult = {
  manifestDigest: `sha256:${'cd'.repeat(32)}`,
  sizes: { source: 4096, stored: 1024 },
  keyFingerprints: ['sha256:1'],
  server: { engine: 'postgresql', version: '17.6' },
  tool: 'pg_dump 17.6',
  verifiedTime: '2026-11-24T12:01:00.000Z',
};

/** What the runner says of a backup that ended well. */
export const BACKED_UP: Report = { command: 'backup', ok: true, result: BACKUP_RESULT };

export function aCompleteBackup(): Backup {
  return aBackup({
    status: {
      phase: 'Complete',
      location: 's3://acme/prod/v1/lodz/shop/_manual/20261124T120000Z-11111111/',
      manifestDigest: `sha256:${'ab'.repeat(32)}`,
      conditions: [condition('Complete', 'True')],
    },
  });
}

export function aRestore(
  more: { status?: RestoreStatus; spec?: Partial<RestoreSpec>; metadata?: object } = {},
): Restore {
  return {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Restore',
    metadata: metadata('bring-back', UIDS.restore, { finalizers: ['holdfast.dev/restore'], ...more.metadata }),
    spec: {
      from: { backupRef: { name: 'nightly' } },
      onConflict: 'Replace',
      safetyBackup: false,
      scaleDown: { workloads: [{ kind: 'Deployment', name: 'web' }], timeout: '10m' },
      keepPrevious: '24h',
      startDeadline: '1h',
      activeDeadlineSeconds: 3600,
      ...more.spec,
    },
    ...(more.status === undefined ? {} : { status: more.status }),
  };
}
