/** A server with several databases and roles, a bucket, and runners that back all of it up and bring it back. */

import { randomUUID } from 'node:crypto';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { previousDatabaseName, scratchDatabaseName } from '../../src/api/names.ts';
import type { BackupResult, BackupTask, Report, ServerAccess, SwapTask, Task } from '../../src/api/task.ts';
import type { InstanceContents } from '../../src/archive/contents.ts';
import { runFolder } from '../../src/archive/layout.ts';
import type { Manifest } from '../../src/archive/manifest.ts';
import { newIdentity } from '../../src/keys/identities.ts';
import { openContents } from '../../src/runner/sealed-contents.ts';
import { type LocalS3, localS3 } from '../cluster/versitygw.ts';
import { type PostgresWorld, postgresWorld } from './postgres-world.ts';
import { loadAndSwap } from './restore-steps.ts';
import { type RunnerOptions, type RunnerRun, runRunner, type Secrets, startRunner } from './runner-process.ts';

const BUCKET = 'holdfast-instance';

/** A name that every layer would like to take for something else. */
export const ODD = `Odd "db' = \\ é;$(x)`;

export interface InstanceWorld extends AsyncDisposable {
  readonly world: PostgresWorld;
  readonly store: LocalS3;
  readonly key: { readonly identity: string; readonly recipient: string };
  secrets(): Secrets;
  backupTask(change?: Partial<BackupTask>): BackupTask;
  restoreTask(backup: BackupTask, manifestDigest: string, change?: Partial<SwapTask>): SwapTask;
  backup(change?: Partial<BackupTask>): Promise<{ task: BackupTask } & BackupResult>;
  run(task: Task): Promise<RunnerRun>;
  /** Loads and swaps. */
  restore(task: SwapTask): Promise<RunnerRun>;
  start(task: Task, options?: Partial<RunnerOptions>): ReturnType<typeof startRunner>;
  read(key: string): Promise<Buffer>;
  objects(prefix: string): Promise<string[]>;
  /** Changes one byte in the middle of an object. */
  spoil(key: string): Promise<void>;
  /** Makes the tablespace `fast` and tells where it is. */
  tablespace(): Promise<string>;
  manifest(task: BackupTask): Promise<Manifest>;
  contents(task: BackupTask): Promise<InstanceContents>;
  access(database?: string): ServerAccess;
}

/** `env`: for the runners. */
export async function instanceWorld(
  start?: Parameters<typeof postgresWorld>[1],
  env: Readonly<Record<string, string>> = {},
): Promise<InstanceWorld> {
  const [world, store] = await Promise.all([postgresWorld({}, start), localS3()]);
  await store.createBucket(BUCKET);
  const { endpoint, region, accessKeyId, secretAccessKey } = store;
  const client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
  const key = await newIdentity('classic');
  const secrets = (): Secrets => ({
    store: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    database: { username: world.superuser.username, password: world.superuser.password ?? '' },
    identity: { 'identity.txt': key.identity },
  });
  const access = (database?: string): ServerAccess =>
    database === undefined ? world.serverAccess : world.access(database);
  const bucket = { endpoint, region, bucket: BUCKET, prefix: '', forcePathStyle: true, secret: 's3' };
  const read = async (name: string) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: name }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  const manifest = async ({ folder }: BackupTask) => JSON.parse(`${await read(`${folder}manifest.json`)}`) as Manifest;
  const backupTask = (change: Partial<BackupTask> = {}): BackupTask => {
    const run = { cluster: 'contract', namespace: 'shop', name: 'all', uid: randomUUID() };
    return {
      command: 'backup',
      run,
      store: bucket,
      folder: runFolder({ ...run, prefix: '', time: new Date('2026-11-24T02:00:00Z') }),
      database: access(),
      recipients: [key.recipient],
      compressionLevel: 1,
      conditionalWrites: true,
      reportOnly: false,
      ...change,
    };
  };
  const run: InstanceWorld['run'] = (task) => runRunner(task, { secrets: secrets(), attempt: randomUUID(), env });
  return {
    world,
    store,
    key,
    secrets,
    access,
    read,
    manifest,
    backupTask,
    run,
    restore: (task) => loadAndSwap(task, run),
    start: (task, options = {}) => startRunner(task, { secrets: secrets(), attempt: randomUUID(), ...options }),
    restoreTask: (backup, manifestDigest, change = {}) => {
      const uid = randomUUID();
      const database = change.database ?? access();
      return {
        command: 'swap',
        run: { cluster: 'contract', namespace: 'shop', name: `back-${uid}`, uid, specHash: 'a1' },
        store: bucket,
        archive: { folder: backup.folder, manifestDigest, cluster: 'contract', namespace: 'shop' },
        database,
        identity: { secret: 'key', key: 'identity.txt' },
        onConflict: 'Replace',
        scratchDatabase: scratchDatabaseName({ uid }),
        previousDatabase: previousDatabaseName(database.database ?? 'holdfast', { uid }),
        notAfter: new Date(Date.now() + 600_000).toISOString(),
        dropPrevious: false,
        ...change,
      };
    },
    backup: async (change = {}) => {
      const task = backupTask(change);
      return { task, ...resultOf(await run(task), 'backup') };
    },
    spoil: async (name) => {
      const body = await read(name);
      const middle = body.length >> 1;
      body[middle] = (body[middle] ?? 0) ^ 1;
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: name, Body: body }));
    },
    tablespace: async () => {
      const [row] = await world.sql('postgres', `SELECT current_setting('data_directory') AS data`);
      const place = `${String(row?.['data'])}/../fast`;
      await world.sql(
        'postgres',
        `CREATE TABLE made (n int)`,
        `COPY made TO PROGRAM 'mkdir -p ${place}'`,
        'DROP TABLE made',
      );
      await world.sql('postgres', `CREATE TABLESPACE fast LOCATION '${place}'`);
      const [made] = await world.sql(
        'postgres',
        `SELECT pg_tablespace_location(oid) AS at FROM pg_tablespace WHERE spcname = 'fast'`,
      );
      return String(made?.['at']);
    },
    objects: async (prefix) => {
      const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }));
      return (Contents ?? []).map((object) => object.Key ?? '').sort();
    },
    contents: async (task) => {
      const { contents } = await manifest(task);
      return (await openContents(await read(`${task.folder}${contents.key}`), [key.identity])) as InstanceContents;
    },
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await Promise.all([world[Symbol.asyncDispose](), store.stop()]);
    },
  };
}

/** Three databases with odd names, one that nobody may enter, and roles of which each has something of its own. */
export async function fillServer(world: PostgresWorld): Promise<void> {
  await world.role('shop owner', 'CREATEDB');
  await world.role('reader', "VALID UNTIL '2033-01-01' CONNECTION LIMIT 7");
  await world.sql(
    'postgres',
    `CREATE ROLE team NOLOGIN`,
    `GRANT team TO reader WITH ADMIN OPTION`,
    `GRANT pg_monitor TO team`,
    `ALTER ROLE reader SET search_path = "$user", public, "A b"`,
    `ALTER ROLE "shop owner" SET work_mem = '7MB'`,
    `COMMENT ON ROLE team IS 'people of the shop''s team'`,
    `CREATE DATABASE shop OWNER "shop owner"`,
    `ALTER DATABASE shop SET statement_timeout = '42s'`,
    `ALTER ROLE reader IN DATABASE shop SET work_mem = '9MB'`,
    `GRANT CONNECT ON DATABASE shop TO team`,
    `CREATE DATABASE "${ODD.replaceAll('"', '""')}"`,
    `CREATE DATABASE closed ALLOW_CONNECTIONS false`,
  );
  await world.sql(
    'shop',
    `SET ROLE "shop owner"; CREATE TABLE orders (id int PRIMARY KEY, what text);
     INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, 500) n; GRANT SELECT ON orders TO team`,
  );
  await world.sql(ODD, `CREATE TABLE "T.x" (v text); INSERT INTO "T.x" VALUES ('kept')`);
  await world.sql('postgres', `CREATE TABLE notes (n int); INSERT INTO notes VALUES (1)`);
}

export function resultOf<C extends Report['command']>(
  run: RunnerRun,
  command: C,
): Extract<Report<C>, { ok: true }>['result'] {
  if (run.exitCode !== 0 || run.report?.ok !== true || run.report.command !== command) {
    throw new Error(`the ${command} did not succeed: ${JSON.stringify(run.report)}\n${run.log}`);
  }
  return run.report.result as Extract<Report<C>, { ok: true }>['result'];
}

export function failureOf(run: RunnerRun): { reason: string; message: string; hint?: string; retry: boolean } {
  if (run.report === undefined || run.report.ok) throw new Error(`it did not fail: ${run.log}`);
  return { ...run.report.failure, retry: run.report.retry };
}
