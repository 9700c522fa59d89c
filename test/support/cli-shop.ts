/** A namespace with a bit of everything, as the operator would have left it. */
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { Condition } from '../../src/api/conditions.ts';
import { fingerprint } from '../../src/keys/recipients.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { now } from '../../src/platform/clock.ts';
import type { CliWorld } from './cli-world.ts';

export interface Shop {
  readonly identity: string;
  readonly recipient: string;
}

/** So many minutes ago, as the API has it. */
function ago(minutes: number): string {
  return `${new Date(now().getTime() - minutes * 60_000).toISOString().slice(0, 19)}Z`;
}

export function said(type: string, status: Condition['status'], reason: string, message: string): Condition {
  return { type, status, reason, message, lastTransitionTime: ago(5), observedGeneration: 1 };
}

const SOURCE = {
  postgresql: { host: 'pg.shop.svc', database: 'orders', credentials: { secretRef: { name: 'pg' } } },
};

const BACKUP_SPEC = { source: SOURCE, storeRef: { name: 'cellar' } };

export function completeStatus(recipient: string, minutesAgo: number): object {
  return {
    phase: 'Complete',
    startTime: ago(minutesAgo + 2),
    completionTime: ago(minutesAgo),
    location: 's3://acme/prod/v1/lodz/shop/nightly/20261124T020000Z-1a2b3c4d/',
    manifestDigest: `sha256:${'ab'.repeat(32)}`,
    sizes: { source: 5_368_709_120, stored: 1_288_490_189, human: '1.2 GiB' },
    keyFingerprints: [fingerprint(recipient)],
    server: { engine: 'postgresql', version: '17.6' },
    tool: 'pg_dump (PostgreSQL) 17.6',
    verification: { level: 'ReadBack', time: ago(minutesAgo) },
    conditions: [
      said('Complete', 'True', 'BackedUp', '5.0 GiB dumped, 1.2 GiB stored'),
      said('Verified', 'True', 'ReadBack', 'every byte was read back'),
    ],
  };
}

export function runningStatus(job: string): object {
  const message = `Job ${job} is at work`;
  return {
    phase: 'Running',
    startTime: ago(3),
    jobName: job,
    conditions: [said('Complete', 'False', 'Running', message), said('Reconciling', 'True', 'Running', message)],
  };
}

export function failedStatus(): object {
  const failure = {
    reason: 'HostUnreachable',
    message: 'pg.shop.svc:5432 did not answer for an hour: connection refused.',
    hint: 'Is the server up? kubectl -n shop get pods',
  };
  return {
    phase: 'Failed',
    startTime: ago(1_500),
    completionTime: ago(1_440),
    failure,
    conditions: [
      said('Failed', 'True', failure.reason, failure.message),
      said('Complete', 'False', failure.reason, failure.message),
    ],
  };
}

const READY = { conditions: [said('Ready', 'True', 'Usable', 'ready')], observedGeneration: 1 };

export async function fillShop(world: CliWorld, namespace: string): Promise<Shop> {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  await world.namespace(namespace);
  const s3 = {
    endpoint: 's3.example.com',
    region: 'eu-1',
    bucket: 'acme',
    prefix: 'prod',
    credentials: { secretRef: { name: 'bucket' } },
  };
  await world.put(KIND.backupStore, namespace, {
    metadata: { name: 'cellar' },
    spec: { s3 },
    status: { ...READY, lastCheckTime: ago(7) },
  });
  await world.put(KIND.backupKey, namespace, {
    metadata: { name: 'team' },
    spec: { recipients: [recipient], default: true },
    status: READY,
  });
  await world.put(KIND.backupSchedule, namespace, {
    metadata: { name: 'nightly', labels: { 'argocd.argoproj.io/instance': 'shop' } },
    spec: {
      schedule: 'H 2 * * *',
      timeZone: 'Europe/Warsaw',
      retention: { keepLast: 7 },
      template: { metadata: { labels: { team: 'blue' } }, spec: BACKUP_SPEC },
    },
    status: {
      ...READY,
      lastSuccessfulTime: ago(300),
      nextScheduleTime: '2026-11-25T02:17:00+01:00',
      consecutiveFailures: 0,
      keptBackups: 1,
    },
  });
  const ofNightly = {
    labels: { 'holdfast.dev/schedule': 'nightly' },
    annotations: { 'holdfast.dev/schedule': 'nightly' },
  };
  await world.put(KIND.backup, namespace, {
    metadata: { name: 'nightly-202611230117', ...ofNightly },
    spec: BACKUP_SPEC,
    status: failedStatus(),
  });
  await world.put(KIND.backup, namespace, {
    metadata: { name: 'nightly-202611240117', ...ofNightly },
    spec: BACKUP_SPEC,
    status: completeStatus(recipient, 300),
  });
  await world.put(KIND.backup, namespace, {
    metadata: { name: 'before-upgrade' },
    spec: BACKUP_SPEC,
    status: runningStatus('before-upgrade-backup-1'),
  });
  const pods = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web' }] } };
  await world.put(KIND.deployment, namespace, {
    metadata: { name: 'web' },
    spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: pods },
  });
  return { identity, recipient };
}
