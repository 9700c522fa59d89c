/** The runner as a Job starts it, against a server that is known by its certificate and knows its client by one. */

import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { previousDatabaseName, scratchDatabaseName } from '../../src/api/names.ts';
import type { BackupResult, BackupTask, DatabaseAccess, Report, SwapTask } from '../../src/api/task.ts';
import { runFolder } from '../../src/archive/layout.ts';
import { newIdentity } from '../../src/keys/identities.ts';
import { issue, makeAuthority } from '../cluster/pki.ts';
import { postgresPrograms } from '../cluster/postgres-majors.ts';
import { type LocalS3, localS3 } from '../cluster/versitygw.ts';
import { serveTls, withAccessRules } from '../support/postgres-access.ts';
import { PROGRAMS_FOLDER } from '../support/postgres-majors.ts';
import { PASSWORD, type PostgresWorld, postgresWorld } from '../support/postgres-world.ts';
import { loadAndSwap } from '../support/restore-steps.ts';
import { runRunner, type Secrets } from '../support/runner-process.ts';

const BUCKET = 'holdfast-tls';
let world: PostgresWorld;
let store: LocalS3;
let folder: string;
let key: { identity: string; recipient: string };
let env: Record<string, string>;

beforeAll(async () => {
  [world, store, key] = await Promise.all([postgresWorld(), localS3(), newIdentity('classic')]);
  env = { [PROGRAMS_FOLDER]: await postgresPrograms() };
  await store.createBucket(BUCKET);
  folder = await mkdtemp(join(tmpdir(), 'holdfast-runner-tls-'));
  await makeAuthority(folder, 'authority');
  await makeAuthority(join(folder, 'strangers'), 'strangers');
  await issue(folder, { file: 'server', commonName: 'pg', alternativeNames: ['DNS:localhost'] });
  await issue(folder, { file: 'client', commonName: 'app' });
  await serveTls(world, folder, 'server', join(folder, 'ca.crt'));
  await world.role('app', 'CREATEDB');
  await world.sql('postgres', 'GRANT pg_signal_backend TO app', 'CREATE DATABASE shop OWNER app');
  await world.sql('shop', 'SET ROLE app; CREATE TABLE visits AS SELECT generate_series(1, 1000) AS id');
}, 180_000);

afterAll(async () => {
  await Promise.all([world?.[Symbol.asyncDispose](), store?.stop()]);
  await rm(folder, { recursive: true, force: true });
});

const file = (name: string) => readFile(join(folder, name), 'utf8');

async function secrets(authority = 'ca.crt'): Promise<Secrets> {
  const password = encodeURIComponent(PASSWORD);
  const uri = `postgresql://app:${password}@localhost:${world.server.port}/shop?sslmode=require&channel_binding=require\n`;
  return {
    store: { AWS_ACCESS_KEY_ID: store.accessKeyId, AWS_SECRET_ACCESS_KEY: store.secretAccessKey },
    database: { uri },
    databaseCa: { 'ca.crt': await file(authority) },
    databaseCertificate: { 'tls.crt': await file('client.crt'), 'tls.key': await file('client.key') },
    identity: { 'identity.txt': key.identity },
  };
}

const database = (): DatabaseAccess => ({
  ...world.access('shop'),
  host: 'localhost',
  credentials: { secret: 'app', uriKey: 'uri', databases: ['shop'] },
  tls: {
    mode: 'verify-full',
    authorities: { secret: 'pg-ca', key: 'ca.crt' },
    clientCertificate: { secret: 'app-cert', certificateKey: 'tls.crt', privateKeyKey: 'tls.key' },
  },
});

const access = () => ({
  endpoint: store.endpoint,
  region: store.region,
  bucket: BUCKET,
  prefix: '',
  forcePathStyle: true,
  secret: 's3-login',
});

function backupTask(): BackupTask {
  const run = { cluster: 'contract', namespace: 'shop', name: 'nightly', uid: randomUUID() };
  return {
    command: 'backup',
    run,
    store: access(),
    folder: runFolder({ ...run, prefix: '', time: new Date('2026-11-24T02:00:00Z') }),
    database: database(),
    recipients: [key.recipient],
    compressionLevel: 3,
    conditionalWrites: true,
    reportOnly: false,
  };
}

function restoreTask(backup: BackupTask, { manifestDigest }: BackupResult): SwapTask {
  const uid = randomUUID();
  return {
    command: 'swap',
    run: { cluster: 'contract', namespace: 'shop', name: 'back', uid, specHash: 'a1b2c3' },
    store: access(),
    archive: { folder: backup.folder, manifestDigest, cluster: 'contract', namespace: 'shop' },
    database: database(),
    identity: { secret: 'the-key', key: 'identity.txt' },
    onConflict: 'Replace',
    scratchDatabase: scratchDatabaseName({ uid }),
    previousDatabase: previousDatabaseName('shop', { uid }),
    notAfter: new Date(Date.now() + 600_000).toISOString(),
    dropPrevious: true,
  };
}

function resultOf(report: Report | undefined): unknown {
  if (report?.ok !== true) throw new Error(`failed: ${JSON.stringify(report)}`);
  return report.result;
}

test('a backup and a restore go by verify-full, a client certificate and a URI, and say nothing of what is secret', async () => {
  await withAccessRules(
    world,
    'hostssl all app all scram-sha-256 clientcert=verify-full\nhost all app all reject',
    async () => {
      const task = backupTask();
      const backup = await runRunner(task, { secrets: await secrets(), env });
      const result = resultOf(backup.report) as BackupResult;
      const before = await world.print('shop');
      await world.sql('shop', 'DELETE FROM visits');
      const restore = await loadAndSwap(restoreTask(task, result), async (step) =>
        runRunner(step, { secrets: await secrets(), env }),
      );
      resultOf(restore.report);
      expect(await world.print('shop')).toEqual(before);
      const said = [backup, restore].map(({ log, report }) => log + JSON.stringify(report)).join();
      const asJson = JSON.stringify(PASSWORD).slice(1, -1);
      for (const word of [PASSWORD, asJson, encodeURIComponent(PASSWORD), 'BEGIN PRIVATE KEY', 'BEGIN CERTIFICATE']) {
        expect(said).not.toContain(word);
      }
    },
  );
}, 60_000);

test.each<[string, () => Promise<Secrets>, string]>([
  ['the authority of somebody else', () => secrets('strangers/ca.crt'), 'TlsFailed'],
  ['no authority', async () => ({ ...(await secrets()), databaseCa: {} }), 'SecretNotFound'],
  [
    'a key of nobody',
    async () => ({ ...(await secrets()), databaseCertificate: { 'tls.crt': await file('client.crt') } }),
    'SecretKeyNotFound',
  ],
  [
    'a URI to another server',
    async () => ({ ...(await secrets()), database: { uri: `postgresql://app:x@elsewhere/shop` } }),
    'UriDisagrees',
  ],
])('with %s it tells the reason, may try again, and begins nothing', async (_, given, reason) => {
  const { report, exitCode } = await runRunner(backupTask(), { secrets: await given(), env });
  expect(exitCode).toBe(3);
  expect(report).toMatchObject({ ok: false, retry: true, failure: { reason } });
});
