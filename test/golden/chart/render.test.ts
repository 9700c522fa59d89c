import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { renderText } from '../../unit/chart/render.ts';

/** Templates that render nothing, or as little, for the operator alone. */
const OF_A_SCHEDULE = [
  'templates/backup-store.yaml',
  'templates/backup-key.yaml',
  'templates/backup-schedule.yaml',
  'templates/backup-restore.yaml',
  'templates/networkpolicy.yaml',
  'templates/tests/works.yaml',
];

const KEYS = { recipients: ['age1kh8m6cwqmtxzz0q8xqgp6v0q9c6y5x4ycdw3xd7hr3gu0a0vgd2sfpfq9q'] };

/** By values, under the names of this chart. */
const SCHEDULE = {
  clusterName: 'golden',
  keys: KEYS,
  s3: {
    endpoint: 'https://s3.eu-central-1.amazonaws.com',
    bucket: 'acme-backups',
    prefix: 'prod',
    credentialsSecretName: 'bucket-login',
  },
  database: {
    host: 'pg.shop.svc',
    name: 'shop',
    credentialsSecretName: 'database-login',
    tls: { mode: 'verify-full' },
  },
  backup: {
    namespace: 'shop',
    name: 'nightly',
    schedule: 'H 2 * * *',
    timeZone: 'Europe/Paris',
    runOnCreate: true,
    startingDeadlineSeconds: 31_536_000,
    retention: { keepLast: 60, keepWithin: '14d' },
    compression: { level: 6 },
  },
  restore: { scaleDown: ['deployment/web', 'statefulset/worker'], timeout: '15m' },
  networkPolicy: { enabled: true },
};

/** The same under the names that charts of key managers have. */
const KEY_MANAGER = {
  clusterName: 'golden',
  keys: KEYS,
  global: {
    s3: {
      endpoint: 'https://s3.eu-de.cloud-object-storage.appdomain.cloud',
      bucket: 'acme-enclave-manager-backups',
      hmacSecretName: 'enclave-manager-backup-credentials',
    },
  },
  database: { host: 'enclave-manager-db', name: 'malbork', credentialsSecretName: 'enclave-manager-db' },
  backup: { cronSchedule: '0 0 * * *', s3Prefix: 'prod' },
  restore: { scaleDown: ['deployment/manager-backend'] },
};

/** UPDATE_GOLDEN=1 writes the files anew; the diff is then for a person to read. */
test.each([
  ['default', { clusterName: 'golden' }, undefined],
  ['schedule', SCHEDULE, OF_A_SCHEDULE],
  ['key-manager', KEY_MANAGER, OF_A_SCHEDULE.filter((template) => !template.includes('networkpolicy'))],
  ['some-namespaces', { clusterName: 'golden', watchNamespaces: ['shop', 'billing'] }, ['templates/roles.yaml']],
])('the chart renders to what was reviewed: %s', async (name, file, show) => {
  const path = join(import.meta.dirname, `${name}.yaml`);
  const text = await renderText({}, { file, ...(show === undefined ? {} : { show }) });
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
});
