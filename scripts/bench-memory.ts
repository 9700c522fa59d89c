/**
 * Shows that the memory of the runner does not grow with the database: the peak of its Node process for a backup and a
 * restore of a small and of a large one, against a real PostgreSQL and a real S3 server on this machine.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { previousDatabaseName, scratchDatabaseName } from '../src/api/names.ts';
import { type BackupResult, type BackupTask, RUNNER_NODE_FLAGS, type SwapTask, type Task } from '../src/api/task.ts';
import { runFolder } from '../src/archive/layout.ts';
import { newIdentity } from '../src/keys/identities.ts';
import { formatBytes } from '../src/lib/bytes.ts';
import { now } from '../src/platform/clock.ts';
import { type LocalPostgres, localPostgres } from '../test/cluster/postgres.ts';
import { type LocalS3, localS3 } from '../test/cluster/versitygw.ts';
import { loadTask } from '../test/support/restore-steps.ts';
import { type Secrets, startRunner } from '../test/support/runner-process.ts';

const MIB = 1024 * 1024;
const SMALL_MB = 200;
const LARGE_MB = 1000;
const LIMIT = 200 * MIB;
const GROWTH = 1.15;
const BUCKET = 'bench-memory';
/** The flags of the runner's Job, so that what is measured is what runs; others can be tried: `npm run bench:memory -- --max-semi-space-size=16`. */
const nodeArgs = process.argv.length > 2 ? process.argv.slice(2) : RUNNER_NODE_FLAGS;

interface Peak {
  readonly work: 'backup' | 'restore';
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly seconds: number;
  readonly peak: number;
}

const server = await localPostgres({ settings: { max_wal_size: '4GB' } });
const store = await localS3();
const key = await newIdentity('classic');
const peaks: Peak[] = [];
try {
  await store.createBucket(BUCKET);
  for (const megabytes of [SMALL_MB, LARGE_MB]) peaks.push(...(await measure(megabytes)));
} finally {
  await Promise.all([server.stop(), store.stop()]);
}
process.exitCode = judge(peaks);

async function measure(megabytes: number): Promise<Peak[]> {
  const database = `bench_${megabytes}`;
  console.log(`filling a database with ${megabytes} MB …`);
  await fill(server, database, megabytes);
  const task = backupTask(store, server, database);
  const backup = await run(task);
  const result = backup.result as BackupResult;
  const sizes = { plainBytes: result.sizes.source, storedBytes: result.sizes.stored };
  const swap = restoreTask(task, result.manifestDigest);
  const restore = await run(loadTask(swap));
  await run(swap);
  await query('postgres', `DROP DATABASE ${database}`);
  return [
    { work: 'backup', ...sizes, seconds: backup.seconds, peak: backup.peak },
    { work: 'restore', ...sizes, seconds: restore.seconds, peak: restore.peak },
  ];
}

/** Half of it bytes that do not compress, half text that does. */
async function fill({ superuser }: LocalPostgres, database: string, megabytes: number): Promise<void> {
  await query('postgres', `CREATE DATABASE ${database} OWNER ${superuser}`);
  await query(
    database,
    `CREATE EXTENSION pgcrypto;
     CREATE TABLE noise (id bigint PRIMARY KEY, bytes bytea);
     ALTER TABLE noise ALTER COLUMN bytes SET STORAGE EXTERNAL;
     INSERT INTO noise SELECT n, gen_random_bytes(1000) || gen_random_bytes(1000) FROM generate_series(1, ${megabytes * 125}) n;
     CREATE TABLE visits (id bigint PRIMARY KEY, path text, agent text, at timestamptz);
     INSERT INTO visits SELECT n, '/shop/item/' || md5(n::text) || '?ref=' || md5((n / 7)::text),
       repeat('Mozilla/5.0 (X11; Linux x86_64) ', 3) || n % 97, now() - n * interval '1 second'
       FROM generate_series(1, ${megabytes * 2100}) n`,
  );
}

async function query(database: string, text: string): Promise<void> {
  const { host, port, superuser, password } = server;
  const client = new Client({ host, port, user: superuser, password, database });
  await client.connect();
  await client.query(text);
  await client.end();
}

async function run(task: Task): Promise<{ result: unknown; seconds: number; peak: number }> {
  const secrets: Secrets = {
    store: { AWS_ACCESS_KEY_ID: store.accessKeyId, AWS_SECRET_ACCESS_KEY: store.secretAccessKey },
    database: { username: server.superuser, password: server.password },
    identity: { key: key.identity },
  };
  const started = performance.now();
  const running = await startRunner(task, { secrets, nodeArgs });
  let peak = 0;
  // VmHWM never falls, so the last look tells the peak; ru_maxrss would count the process that this one was forked from.
  const timer = setInterval(() => {
    peak = Math.max(peak, highWaterMark(running.child.pid ?? 0));
  }, 20);
  const { report, log } = await running.ended.finally(() => clearInterval(timer));
  if (report?.ok !== true) throw new Error(`the ${task.command} failed:\n${log}`);
  return { result: report.result, seconds: (performance.now() - started) / 1000, peak };
}

function highWaterMark(pid: number): number {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function backupTask(s3: LocalS3, { host, port }: LocalPostgres, database: string): BackupTask {
  const identity = { cluster: 'bench', namespace: 'bench', name: database, uid: randomUUID() };
  return {
    command: 'backup',
    run: identity,
    store: { endpoint: s3.endpoint, region: s3.region, bucket: BUCKET, prefix: '', forcePathStyle: true, secret: 's3' },
    folder: runFolder({ ...identity, prefix: '', time: now() }),
    database: {
      engine: 'postgresql',
      host,
      port,
      database,
      maintenanceDatabase: 'postgres',
      credentials: { secret: 'login', usernameKey: 'username', passwordKey: 'password' },
    },
    recipients: [key.recipient],
    compressionLevel: 3,
    conditionalWrites: true,
    reportOnly: false,
  };
}

function restoreTask({ run, store, folder, database }: BackupTask, manifestDigest: string): SwapTask {
  const uid = randomUUID();
  const { cluster, namespace } = run;
  return {
    command: 'swap',
    run: { cluster, namespace, name: 'back', uid, specHash: 'bench' },
    store,
    archive: { folder, manifestDigest, cluster, namespace },
    database,
    identity: { secret: 'identity', key: 'key' },
    onConflict: 'Replace',
    scratchDatabase: scratchDatabaseName({ uid }),
    previousDatabase: previousDatabaseName('bench', { uid }),
    notAfter: new Date(now().getTime() + 3_600_000).toISOString(),
    dropPrevious: true,
  };
}

/** 0 when every peak is within the limit and the large ones are about as high as the small ones. */
function judge(all: readonly Peak[]): number {
  console.log('\nwork     plain        stored       seconds  peak of the Node process');
  for (const { work, plainBytes, storedBytes, seconds, peak } of all) {
    const cells = [work.padEnd(8), formatBytes(plainBytes).padEnd(12), formatBytes(storedBytes).padEnd(12)];
    console.log([...cells, seconds.toFixed(1).padStart(7), ` ${formatBytes(peak)}`].join(' '));
  }
  const problems = [
    ...all
      .filter(({ peak }) => peak > LIMIT)
      .map(({ work, peak }) => `${work}: ${formatBytes(peak)} is more than ${formatBytes(LIMIT)}`),
    ...(['backup', 'restore'] as const).flatMap((work) => {
      const [small, large] = all.filter((one) => one.work === work).map(({ peak }) => peak);
      if (small === undefined || large === undefined) return [`${work}: nothing was measured`];
      const ratio = large / small;
      console.log(`${work}: ${LARGE_MB} MB against ${SMALL_MB} MB: ${((ratio - 1) * 100).toFixed(1)} %`);
      return Math.max(ratio, 1 / ratio) > GROWTH ? [`${work}: the peaks differ by more than 15 %`] : [];
    }),
  ];
  for (const problem of problems) console.log(`NOT WITHIN BOUNDS  ${problem}`);
  return problems.length === 0 ? 0 : 1;
}
