import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Client } from 'pg';
import { previousDatabaseName, scratchDatabaseName } from '../../src/api/names.ts';
import type { BackupTask, CatalogTask, PlanResult, PlanTask, ProbeTask, Report, SwapTask } from '../../src/api/task.ts';
import { runFolder } from '../../src/archive/layout.ts';
import type { Manifest } from '../../src/archive/manifest.ts';
import { parseReport } from '../../src/controllers/report.ts';
import { newIdentity } from '../../src/keys/identities.ts';
import { fingerprint } from '../../src/keys/recipients.ts';
import { type LocalPostgres, localPostgres } from '../cluster/postgres.ts';
import { program } from '../cluster/programs.ts';
import { type LocalS3, localS3 } from '../cluster/versitygw.ts';
import { type Fingerprint, fingerprint as fingerprintOf } from '../support/postgres-fingerprint.ts';
import { loadAndSwap, loadTask } from '../support/restore-steps.ts';
import { childrenNamed, type RunnerRun, runRunner, type Secrets, startRunner } from '../support/runner-process.ts';

jest.setTimeout(180_000);

const BUCKET = 'holdfast-runner';
const CANARY = `canary-${randomUUID()}`;
let server: LocalPostgres;
let store: LocalS3;
let client: S3Client;
let key: { identity: string; recipient: string };
let databases = 0;

beforeAll(async () => {
  [server, store] = await Promise.all([localPostgres(), localS3()]);
  await store.createBucket(BUCKET);
  const { endpoint, region, accessKeyId, secretAccessKey } = store;
  client = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
  key = await newIdentity('classic');
  await sql('postgres', `CREATE ROLE app LOGIN PASSWORD '${CANARY}' CREATEDB; GRANT pg_signal_backend TO app`);
}, 600_000);

afterAll(async () => {
  client.destroy();
  await Promise.all([server.stop(), store.stop()]);
});

async function sql<Row = Record<string, unknown>>(database: string, text: string): Promise<Row[]> {
  const { host, port, superuser, password } = server;
  const connection = new Client({ host, port, user: superuser, password, database });
  await connection.connect();
  try {
    const result = await connection.query(text);
    return (result.rows ?? []) as Row[];
  } finally {
    await connection.end();
  }
}

/** Of each size one to copy: noise takes seconds to make. */
const originals = new Map<number, Promise<string>>();

/** A database of the app's own, with text that compresses and bytes that do not. */
async function newDatabase(megabytes = 2): Promise<string> {
  const original = originals.get(megabytes) ?? newOriginal(`original_${megabytes}`, megabytes);
  originals.set(megabytes, original);
  const name = `app_${databases++}`;
  await sql('postgres', `CREATE DATABASE ${name} OWNER app TEMPLATE ${await original}`);
  return name;
}

async function newOriginal(name: string, megabytes: number): Promise<string> {
  await sql('postgres', `CREATE DATABASE ${name} OWNER app`);
  await sql(
    name,
    `SET ROLE app;
     CREATE TABLE visits (id int PRIMARY KEY, what text NOT NULL, noise bytea);
     INSERT INTO visits SELECT n, 'visit number ' || n, decode(md5(n::text) || md5((n * 7)::text), 'hex') FROM generate_series(1, 1000) n;
     CREATE TABLE noise (id int, bytes bytea);
     ALTER TABLE noise ALTER COLUMN bytes SET STORAGE EXTERNAL;
     INSERT INTO noise SELECT n, (SELECT decode(string_agg(md5((n * 1000000 + k)::text), ''), 'hex') FROM generate_series(1, 6553) k)
       FROM generate_series(1, ${megabytes * 10}) n`,
  );
  return name;
}

const contentOf = (database: string): Promise<Fingerprint> => {
  const { host, port, superuser, password } = server;
  return fingerprintOf({ host, port, user: superuser, password, database });
};

const secrets = (): Secrets => ({
  store: { AWS_ACCESS_KEY_ID: store.accessKeyId, AWS_SECRET_ACCESS_KEY: `${store.secretAccessKey}\n` },
  database: { username: 'app', password: `${CANARY}\n` },
  identity: { 'identity.txt': `# a comment\n${key.identity}\n` },
});

const access = () => ({
  endpoint: store.endpoint,
  region: store.region,
  bucket: BUCKET,
  prefix: 'prod',
  forcePathStyle: true,
  secret: 's3-login',
});

const address = (database: string) => ({
  engine: 'postgresql' as const,
  host: server.host,
  port: server.port,
  database,
  maintenanceDatabase: 'postgres',
  credentials: { secret: 'database-login', usernameKey: 'username', passwordKey: 'password' },
});

function backupTask(database: string, change: Partial<BackupTask> = {}): BackupTask {
  const run = { cluster: 'contract', namespace: 'shop', name: 'nightly', uid: randomUUID() };
  const folder = runFolder({ ...run, prefix: 'prod', time: new Date('2026-11-24T02:00:00Z') });
  return {
    command: 'backup',
    run,
    store: access(),
    folder,
    database: address(database),
    recipients: [key.recipient],
    compressionLevel: 3,
    conditionalWrites: true,
    reportOnly: false,
    ...change,
  };
}

function restoreTask(backup: BackupTask, manifestDigest: string, change: Partial<SwapTask> = {}): SwapTask {
  const uid = randomUUID();
  const database = change.database ?? backup.database;
  return {
    command: 'swap',
    run: { cluster: 'contract', namespace: 'shop', name: 'back', uid, specHash: 'a1b2c3' },
    store: access(),
    archive: { folder: backup.folder, manifestDigest, cluster: 'contract', namespace: 'shop' },
    database,
    identity: { secret: 'the-key', key: 'identity.txt' },
    onConflict: 'Replace',
    scratchDatabase: scratchDatabaseName({ uid }),
    previousDatabase: previousDatabaseName(database.database ?? '', { uid }),
    notAfter: new Date(Date.now() + 600_000).toISOString(),
    dropPrevious: false,
    ...change,
  };
}

const runRestore = (task: SwapTask) => loadAndSwap(task, (step) => runRunner(step, { secrets: secrets() }));

function planTask({ notAfter: _, dropPrevious: __, ...base }: SwapTask): PlanTask {
  return { ...base, command: 'plan' };
}

function resultOf<C extends Report['command']>(run: RunnerRun, command: C): Extract<Report<C>, { ok: true }>['result'] {
  if (run.exitCode !== 0 || run.report?.ok !== true || run.report.command !== command) {
    throw new Error(`the ${command} did not succeed: ${JSON.stringify(run.report)}\n${run.log}`);
  }
  return run.report.result as Extract<Report<C>, { ok: true }>['result'];
}

function failureOf(run: RunnerRun): { reason: string; message: string; hint?: string; retry: boolean } {
  if (run.report === undefined || run.report.ok) throw new Error(`it did not fail: ${run.log}`);
  return { ...run.report.failure, retry: run.report.retry };
}

async function objectsOf(prefix: string): Promise<string[]> {
  const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }));
  return (Contents ?? []).map(({ Key }) => Key ?? '').sort();
}

async function uploadsOf(prefix: string): Promise<string[]> {
  const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
  return (Uploads ?? []).map(({ Key }) => Key ?? '').filter((key) => key.startsWith(prefix));
}

async function read(objectKey: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: objectKey }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

const manifestOf = async ({ folder }: BackupTask): Promise<Manifest> =>
  JSON.parse((await read(`${folder}manifest.json`)).toString()) as Manifest;

const databasesLike = async (pattern: string) =>
  (await sql<{ datname: string }>('postgres', `SELECT datname FROM pg_database WHERE datname LIKE '${pattern}'`)).map(
    ({ datname }) => datname,
  );

async function backedUp(database: string, change: Partial<BackupTask> = {}) {
  const task = backupTask(database, change);
  const result = resultOf(await runRunner(task, { secrets: secrets(), attempt: randomUUID() }), 'backup');
  return { task, result };
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let n = 0; n < 1200; n += 1) {
    if (await condition()) return;
    await sleep(50);
  }
  throw new Error('it did not happen within 60 s');
}

describe('a probe', () => {
  test('finds out about conditional writes', async () => {
    const task: ProbeTask = { command: 'probe', store: access() };
    expect(resultOf(await runRunner(task, { secrets: secrets() }), 'probe')).toEqual({ conditionalWrites: true });
  });

  test('of a store whose Secret is missing waits, and names the Secret', async () => {
    const run = await runRunner({ command: 'probe', store: access() }, { secrets: {} });
    expect(run.exitCode).toBe(3);
    expect(failureOf(run)).toMatchObject({ reason: 'SecretNotFound', retry: true });
    expect(failureOf(run).message).toContain('s3-login');
  });
});

describe('a catalog', () => {
  const catalogTask = (folder: string, change: Partial<CatalogTask> = {}): CatalogTask => ({
    command: 'catalog',
    store: access(),
    folder,
    ...change,
  });
  const identity = { secret: 'the-key', key: 'identity.txt' };

  /** The manifest of the archive with something changed, in a folder of its own, where its other objects are too. */
  async function changed(task: BackupTask, change: (manifest: Manifest) => object | string): Promise<string> {
    const folder = `prod/changed/${randomUUID()}/`;
    const manifest = await manifestOf(task);
    for (const { key: name } of [...manifest.segments, manifest.contents]) {
      const Body = await read(`${task.folder}${name}`);
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${folder}${name}`, Body }));
    }
    const made = change(manifest);
    const Body = typeof made === 'string' ? made : JSON.stringify(made);
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${folder}manifest.json`, Body }));
    return folder;
  }

  test('says what an archive is, without a key and with one', async () => {
    const database = await newDatabase();
    const { task, result } = await backedUp(database);
    const manifest = await manifestOf(task);
    const bare = resultOf(
      await runRunner(catalogTask(task.folder), { secrets: { store: secrets().store! } }),
      'catalog',
    );
    expect(bare).toEqual({
      manifestDigest: result.manifestDigest,
      cluster: 'contract',
      namespace: 'shop',
      backup: { name: 'nightly', uid: task.run.uid },
      dataTime: new Date(manifest.startTime).toISOString(),
      server: result.server,
      scope: 'Database',
      verification: { level: 'ReadBack', time: new Date(result.verifiedTime).toISOString() },
    });
    expect(parseReport('catalog', JSON.stringify({ command: 'catalog', ok: true, result: bare }))).toBeDefined();
    const run = await runRunner(catalogTask(task.folder, { identity }), { secrets: secrets() });
    expect(resultOf(run, 'catalog')).toEqual({ ...bare, database });
    expect(result.dataTime).toBe(manifest.startTime);

    const elsewhere = await changed(task, (found) => ({ ...found, cluster: 'bonn', namespace: 'bank' }));
    const foreign = resultOf(await runRunner(catalogTask(elsewhere), { secrets: secrets() }), 'catalog');
    expect(foreign).toMatchObject({ cluster: 'bonn', namespace: 'bank' });
    expect(foreign.manifestDigest).not.toBe(bare.manifestDigest);

    // Each of these can never succeed: nothing is left to wait for.
    const without = await changed(task, (found) => found);
    const [segment] = manifest.segments;
    await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: `${without}${segment?.key}` }));
    const stranger = await newIdentity('classic');
    const wrongs: readonly (readonly [string, string, CatalogTask, Secrets])[] = [
      ['no manifest', 'ManifestNotFound', catalogTask('prod/v1/contract/shop/nowhere/'), secrets()],
      ['no JSON', 'ManifestInvalid', catalogTask(await changed(task, () => '{')), secrets()],
      [
        'another format',
        'ManifestInvalid',
        catalogTask(await changed(task, (m) => ({ ...m, formatVersion: 2 }))),
        secrets(),
      ],
      [
        'a name that is none',
        'ManifestInvalid',
        catalogTask(await changed(task, (m) => ({ ...m, cluster: 'a\n\u001b[2J' }))),
        secrets(),
      ],
      [
        'a time that is none',
        'ManifestInvalid',
        catalogTask(await changed(task, (m) => ({ ...m, startTime: 'noon' }))),
        secrets(),
      ],
      [
        'a key that climbs',
        'ManifestInvalid',
        catalogTask(await changed(task, (m) => ({ ...m, contents: { ...m.contents, key: '../x' } }))),
        secrets(),
      ],
      ['a part that is gone', 'ArchiveIncomplete', catalogTask(without, { identity }), secrets()],
      [
        'a key that does not fit',
        'KeyMismatch',
        catalogTask(task.folder, { identity }),
        { ...secrets(), identity: { 'identity.txt': stranger.identity } },
      ],
    ];
    for (const [what, reason, asked, mounted] of wrongs) {
      const failed = await runRunner(asked, { secrets: mounted });
      expect({ what, exitCode: failed.exitCode, ...failureOf(failed) }).toMatchObject({
        what,
        exitCode: 4,
        reason,
        retry: false,
      });
    }

    const keyless = await runRunner(catalogTask(task.folder, { identity }), { secrets: { store: secrets().store! } });
    expect({ exitCode: keyless.exitCode, ...failureOf(keyless) }).toMatchObject({
      exitCode: 3,
      reason: 'SecretNotFound',
    });
  });
});

describe('a backup', () => {
  test('is what its manifest says, and the manifest tells nothing that is secret', async () => {
    const database = await newDatabase();
    const { task, result } = await backedUp(database);
    const manifest = await manifestOf(task);
    const stored = await objectsOf(task.folder);
    expect(stored).toHaveLength(3);
    expect(stored).toEqual([
      `${task.folder}${manifest.contents.key}`,
      `${task.folder}${manifest.segments[0]?.key}`,
      `${task.folder}manifest.json`,
    ]);
    const sizes = await Promise.all(stored.map(async (objectKey) => (await read(objectKey)).length));
    expect(result.sizes.stored).toBe(sizes.reduce((a, b) => a + b));
    expect(result.sizes.source).toBeGreaterThan(2_000_000);
    expect(result.keyFingerprints).toEqual([fingerprint(key.recipient)]);
    expect(result.tool).toBe(`pg_dump ${manifest.tools['pg_dump']}`);
    expect(Object.keys(manifest.tools).sort()).toEqual(['holdfast', 'pg_dump', 'zstd']);
    const text = JSON.stringify(manifest);
    for (const word of ['visits', 'noise', database, CANARY, 'app']) expect(text).not.toContain(word);
    expect(await uploadsOf(task.folder)).toEqual([]);
  });

  test('is opened with age, zstd and pg_restore alone, by the recipe in its contents', async () => {
    const database = await newDatabase();
    const { task, result } = await backedUp(database);
    const manifest = await manifestOf(task);
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-by-hand-'));
    const exec = promisify(execFile);
    const shell = (command: string) =>
      exec('bash', ['-o', 'pipefail', '-c', command], {
        cwd: folder,
        env: {
          PATH: `${server.bin}:${process.env['PATH']}`,
          AGE: 'x',
          PGHOST: server.host,
          PGPORT: String(server.port),
          PGUSER: server.superuser,
          PGPASSWORD: server.password,
        },
      });
    try {
      await writeFile(join(folder, 'identity.txt'), `${key.identity}\n`);
      const age = await program('age');
      for (const { key: name } of [...manifest.segments, manifest.contents]) {
        await writeFile(join(folder, name.replace('/', '_')), await read(`${task.folder}${name}`));
      }
      const inFolder = (text: string) =>
        [...manifest.segments, manifest.contents].reduce(
          (all, { key: name }) => all.replaceAll(name, name.replace('/', '_')),
          text.replaceAll('age -d', `${age} -d`),
        );
      const { stdout } = await shell(inFolder(`age -d -i identity.txt ${manifest.contents.key} | zstd -d`));
      const contents = JSON.parse(stdout) as { recipe: string[]; parts: { plain: { size: number; sha256: string } }[] };
      for (const line of contents.recipe) await shell(inFolder(line));
      // The recipe leaves it to the person whose the database is.
      const [{ database: _, ...restored }, { database: __, ...live }] = [
        await contentOf('restored'),
        await contentOf(database),
      ];
      expect(restored).toEqual(live);
      const dump = await readFile(join(folder, 'database.dump'));
      expect(dump.length).toBe(contents.parts[0]?.plain.size);
      expect(result.sizes.source).toBe(dump.length);
      const { stdout: digest } = await shell('sha256sum database.dump');
      expect(`sha256:${digest.slice(0, 64)}`).toBe(contents.parts[0]?.plain.sha256);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('to a post-quantum key restores as any other', async () => {
    const database = await newDatabase();
    const quantum = await newIdentity('post-quantum');
    const { task, result } = await backedUp(database, { recipients: [quantum.recipient] });
    const before = await contentOf(database);
    await sql(database, 'DROP TABLE visits CASCADE');
    const opened = { ...secrets(), identity: { 'identity.txt': quantum.identity } };
    const run = await loadAndSwap(restoreTask(task, result.manifestDigest), (step) =>
      runRunner(step, { secrets: opened }),
    );
    resultOf(run, 'swap');
    expect(await contentOf(database)).toEqual(before);
  });

  test('that an earlier attempt committed before it died is reported as it is', async () => {
    const database = await newDatabase();
    const { task, result } = await backedUp(database);
    const again = resultOf(await runRunner(task, { secrets: secrets(), attempt: randomUUID() }), 'backup');
    expect(again).toEqual({ ...result, sizes: { ...result.sizes, source: 0 } });
    expect(await objectsOf(task.folder)).toHaveLength(3);
    const reportOnly = await runRunner({ ...task, reportOnly: true }, { secrets: secrets() });
    expect(resultOf(reportOnly, 'backup').manifestDigest).toBe(result.manifestDigest);
  });

  test('that only reports, where no attempt committed, has failed for good', async () => {
    const task = backupTask('never_looked_at', { reportOnly: true });
    const run = await runRunner(task, { secrets: secrets() });
    expect(run.exitCode).toBe(5);
    expect(failureOf(run)).toMatchObject({ reason: 'Interrupted', retry: false });
    expect(await objectsOf(task.folder)).toEqual([]);
  });

  test('whose folder holds the archive of another backup fails and changes nothing', async () => {
    const database = await newDatabase();
    const { task } = await backedUp(database);
    const other = { ...task, run: { ...task.run, uid: randomUUID(), name: 'other' } };
    const before = await read(`${task.folder}manifest.json`);
    const run = await runRunner(other, { secrets: secrets() });
    expect(run.exitCode).toBe(4);
    expect(failureOf(run).reason).toBe('FolderTaken');
    expect((await read(`${task.folder}manifest.json`)).equals(before)).toBe(true);
  });

  test.each([
    ['a wrong password', { database: { username: 'app', password: 'wrong' } }, {}, /./],
    ['a Secret without the password', { database: { username: 'app' } }, {}, /^SecretKeyNotFound$/],
    ['no Secret of the database', { database: {} }, {}, /^SecretNotFound$/],
    ['a missing bucket', {}, { bucket: 'no-such-bucket' }, /^BucketNotFound$/],
    ['a store that does not answer', {}, { endpoint: 'http://127.0.0.1:9' }, /^StoreUnreachable$/],
    [
      'wrong credentials of the store',
      { store: { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' } },
      {},
      /^StoreCredentialsInvalid$/,
    ],
  ] as const)('with %s waits with exit code 3, and nothing is written', async (_, wrongSecrets, wrongStore, reason) => {
    const database = await newDatabase();
    const task = backupTask(database, { store: { ...access(), ...wrongStore } });
    const run = await runRunner(task, { secrets: { ...secrets(), ...wrongSecrets } });
    expect(run.exitCode).toBe(3);
    expect(failureOf(run).retry).toBe(true);
    expect(failureOf(run).reason).toMatch(reason);
    expect(failureOf(run).hint).toBeTruthy();
    expect(await objectsOf(task.folder)).toEqual([]);
    expect(await uploadsOf(task.folder)).toEqual([]);
  });

  test('with a recipient that is none fails before anything is asked', async () => {
    const run = await runRunner(backupTask('any', { recipients: ['age1nonsense'] }), { secrets: secrets() });
    expect(run.exitCode).toBe(4);
    expect(failureOf(run).reason).toBe('RecipientInvalid');
  });

  describe('that ends half-way leaves no manifest, no object and no upload:', () => {
    /** At level 19 zstd takes seconds for what is read in a blink. */
    const slow = async () => backupTask(await newDatabase(60), { compressionLevel: 19 });

    test.each(['pg_dump', 'zstd'])('%s killed', async (name) => {
      const task = await slow();
      const running = await startRunner(task, { secrets: secrets() });
      await until(
        async () =>
          (await uploadsOf(task.folder)).length > 0 && (await childrenNamed(running.child.pid ?? 0, 'zstd')).length > 0,
      );
      await sleep(1000);
      const [pid] = await childrenNamed(running.child.pid ?? 0, name);
      if (pid === undefined) throw new Error(`${name} is not there any more`);
      process.kill(pid, 'SIGKILL');
      const run = await running.ended;
      expect(run.exitCode).toBe(4);
      expect(failureOf(run)).toMatchObject({ retry: false });
      expect(failureOf(run).message).toContain(`${name} was ended by SIGKILL`);
      expect(await objectsOf(task.folder)).toEqual([]);
      expect(await uploadsOf(task.folder)).toEqual([]);
    });

    test('SIGTERM', async () => {
      const task = await slow();
      const running = await startRunner(task, { secrets: secrets() });
      await until(async () => (await uploadsOf(task.folder)).length > 0);
      await sleep(1000);
      running.child.kill('SIGTERM');
      const run = await running.ended;
      expect(run.exitCode).toBe(5);
      expect(failureOf(run)).toMatchObject({ reason: 'Interrupted', retry: true });
      expect(await objectsOf(task.folder)).toEqual([]);
      expect(await uploadsOf(task.folder)).toEqual([]);
      // pg_dump's server process learns of it when it next writes.
      const left = `SELECT FROM pg_stat_activity WHERE datname = '${task.database.database}' AND backend_type = 'client backend'`;
      await until(async () => (await sql('postgres', left)).length === 0);
    });

    test('the session of pg_dump ended while it waits for a table', async () => {
      const task = backupTask(await newDatabase());
      const { host, port, superuser, password } = server;
      const blocker = new Client({ host, port, user: superuser, password, database: task.database.database });
      await blocker.connect();
      await blocker.query('BEGIN; LOCK TABLE visits IN ACCESS EXCLUSIVE MODE');
      const running = await startRunner(task, { secrets: secrets() });
      const waits = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = '${task.database.database}' AND wait_event_type = 'Lock'`;
      await until(async () => (await sql('postgres', waits)).length > 0);
      const run = await running.ended;
      await blocker.end();
      expect(run.exitCode).toBe(4);
      expect(failureOf(run).reason).toBe('DumpFailed');
      expect(await objectsOf(task.folder)).toEqual([]);
      expect(await uploadsOf(task.folder)).toEqual([]);
    });
  });

  test('shows no secret in its log, its report, its arguments or its environment', async () => {
    const task = backupTask(await newDatabase(60), { compressionLevel: 19 });
    const running = await startRunner(task, { secrets: secrets() });
    let seen = '';
    await until(async () => {
      seen = await tracesOf(running.child.pid ?? 0);
      return seen.includes('pg_dump\0--format') && seen.includes('zstd');
    }).catch((caught: unknown) => {
      running.child.kill('SIGTERM');
      throw caught;
    });
    running.child.kill('SIGTERM');
    const run = await running.ended;
    const said = `${seen}${run.log}${JSON.stringify(run.report)}`;
    for (const secret of [CANARY, store.secretAccessKey, 'AGE-SECRET-KEY']) expect(said).not.toContain(secret);
  });
});

/** Arguments and environment of a runner and of its programs, of which some are gone within a moment. */
async function tracesOf(runner: number): Promise<string> {
  const pids = [runner, ...(await childrenNamed(runner, 'pg_dump')), ...(await childrenNamed(runner, 'zstd'))];
  const traces = pids.flatMap((pid) =>
    ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
  );
  return (await Promise.all(traces)).join('\n');
}

describe('a plan', () => {
  let backup: Awaited<ReturnType<typeof backedUp>>;
  let database: string;
  beforeAll(async () => {
    database = await newDatabase();
    backup = await backedUp(database);
  });

  const planned = async (change: Partial<SwapTask> = {}, other: Secrets = {}): Promise<PlanResult> => {
    const task = planTask(restoreTask(backup.task, backup.result.manifestDigest, change));
    return resultOf(await runRunner(task, { secrets: { ...secrets(), ...other } }), 'plan');
  };

  test('of a restore that can go on has no refusals and says what it needs', async () => {
    expect(await planned()).toMatchObject({
      refusals: [],
      alreadyRestored: false,
      databaseExists: true,
      bytesNeeded: backup.result.sizes.source,
    });
  });

  test('with the wrong identity is refused, and names both keys', async () => {
    const wrong = await newIdentity('classic');
    const { refusals } = await planned({}, { identity: { 'identity.txt': wrong.identity } });
    expect(refusals.map(({ reason }) => reason)).toEqual(['KeyMismatch']);
    expect(refusals[0]?.message).toContain(fingerprint(key.recipient));
    expect(refusals[0]?.message).toContain(fingerprint(wrong.recipient));
  });

  test.each([
    ['another digest than was recorded', { manifestDigest: `sha256:${'0'.repeat(64)}` }, 'ManifestMismatch'],
    ['a folder without an archive', { folder: 'prod/v1/contract/shop/_manual/nothing-here/' }, 'ManifestNotFound'],
    ['the name of another cluster', { cluster: 'elsewhere' }, 'ArchiveForeign'],
    ['another namespace', { namespace: 'bank' }, 'ArchiveForeign'],
  ])('with %s is refused', async (_, change, reason) => {
    const archive = { ...restoreTask(backup.task, backup.result.manifestDigest).archive, ...change };
    const { refusals } = await planned({ archive });
    expect(refusals.map((refusal) => refusal.reason)).toEqual([reason]);
    const wayOut = `from.archive with the path ${archive.folder} and force: [Foreign]`;
    if (reason === 'ArchiveForeign') expect(refusals[0]?.hint).toContain(wayOut);
  });

  test('with onConflict Fail on a database that has something in it is refused', async () => {
    expect((await planned({ onConflict: 'Fail' })).refusals).toHaveLength(1);
  });

  describe('of an app that the backup tells of', () => {
    const application = { version: '1.4.0', requireSameNodes: true, nodes: ['n1'] };
    let sealed: Awaited<ReturnType<typeof backedUp>>;
    beforeAll(async () => {
      sealed = await backedUp(database, { application });
    });
    const look = async (change: Partial<PlanTask>, other: Secrets = {}): Promise<PlanResult> => {
      const task = { ...planTask(restoreTask(sealed.task, sealed.result.manifestDigest)), ...change };
      return resultOf(await runRunner(task, { secrets: { ...secrets(), ...other } }), 'plan');
    };
    const elsewhere = { application: { version: '1.3.9' }, nodes: ['n2'], maxBytes: 1, onConflict: 'Fail' } as const;
    const reasons = ({ refusals }: PlanResult) => refusals.map(({ reason }) => reason);

    test('has that in its manifest, in clear', async () => {
      expect((await manifestOf(sealed.task)).application).toEqual(application);
    });

    test('has everything that stands in the way in one list', async () => {
      const found = await look(elsewhere);
      expect(reasons(found)).toEqual(['Version', 'Nodes', 'TargetNotEmpty', 'TooLarge']);
      expect(found.compatibility).toEqual([
        expect.objectContaining({ of: 'PostgreSQL', verdict: 'Fits' }),
        { of: 'application', archive: '1.4.0', target: '1.3.9', verdict: 'Refused' },
      ]);
    });

    test('says what the manifest tells even where the key does not fit', async () => {
      const wrong = await newIdentity('classic');
      const found = await look(elsewhere, { identity: { 'identity.txt': wrong.identity } });
      expect(reasons(found)).toEqual(['Version', 'Nodes', 'KeyMismatch']);
    });

    test('fits the same nodes, a newer version, and as many bytes as it has', async () => {
      const maxBytes = sealed.result.sizes.source;
      const found = await look({ application: { version: '1.5.0' }, nodes: ['n1'], maxBytes });
      expect(found).toMatchObject({ refusals: [], bytesNeeded: maxBytes });
    });
  });

  test('without the Secret of the identity waits', async () => {
    const task = planTask(restoreTask(backup.task, backup.result.manifestDigest));
    const run = await runRunner(task, { secrets: { ...secrets(), identity: {} } });
    expect(run.exitCode).toBe(3);
    expect(failureOf(run)).toMatchObject({ reason: 'SecretNotFound', retry: true });
    expect(failureOf(run).message).toContain('the-key');
  });

  test('of an archive with a cut and a missing object names both', async () => {
    const broken = await backedUp(await newDatabase());
    const manifest = await manifestOf(broken.task);
    const [segment] = manifest.segments;
    const segmentKey = `${broken.task.folder}${segment?.key}`;
    const bytes = await read(segmentKey);
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: segmentKey, Body: bytes.subarray(0, -1) }));
    await client.send(
      new DeleteObjectCommand({ Bucket: BUCKET, Key: `${broken.task.folder}${manifest.contents.key}` }),
    );
    const task = planTask(restoreTask(broken.task, broken.result.manifestDigest));
    const { refusals } = resultOf(await runRunner(task, { secrets: secrets() }), 'plan');
    expect(refusals.map(({ reason }) => reason)).toEqual(['ArchiveIncomplete', 'ArchiveIncomplete']);
  });
});

describe('a restore', () => {
  test('brings every row back, and keeps the replaced database', async () => {
    const database = await newDatabase();
    const before = await contentOf(database);
    const { task, result } = await backedUp(database);
    await sql(database, 'UPDATE visits SET what = $$gone$$; DELETE FROM noise WHERE id > 3');
    const destroyed = await contentOf(database);

    const restore = restoreTask(task, result.manifestDigest);
    const { previousDatabase } = resultOf(await runRestore(restore), 'swap');
    expect(await contentOf(database)).toEqual(before);
    expect(previousDatabase).toBe(restore.previousDatabase);
    await sql('postgres', `ALTER DATABASE ${previousDatabase} ALLOW_CONNECTIONS true`);
    expect(await contentOf(previousDatabase ?? '')).toEqual(destroyed);
    expect(await databasesLike('holdfast_scratch%')).toEqual([]);

    await sql(database, 'DELETE FROM noise');
    const again = resultOf(await runRestore(restore), 'swap');
    expect(again).toEqual({ previousDatabase });
    expect(await sql(database, 'SELECT 1 FROM noise')).toEqual([]);

    const plan = resultOf(await runRunner(planTask(restore), { secrets: secrets() }), 'plan');
    expect(plan.alreadyRestored).toBe(true);
  });

  test('whose checks do not hold changes nothing, and what was loaded stays for a look until it is cleaned up', async () => {
    const database = await newDatabase();
    const { rows, schema } = await contentOf(database);
    const { task, result } = await backedUp(database);
    await sql(database, 'DELETE FROM noise');
    const live = await contentOf(database);
    const swap = restoreTask(task, result.manifestDigest);
    const { dropPrevious, ...base } = swap;
    resultOf(await runRunner(loadTask(swap), { secrets: secrets() }), 'load');
    const checks = [
      { name: 'visits', sql: 'SELECT count(*) FROM visits', expect: '1000' },
      { name: 'recent', sql: 'SELECT count(*) > 5000 FROM visits', expect: 'true' },
    ];
    const asked = await runRunner({ ...base, command: 'check', checks }, { secrets: secrets() });
    expect(resultOf(asked, 'check')).toEqual({
      checks: [
        { name: 'visits', passed: true },
        { name: 'recent', passed: false, found: 'false' },
      ],
    });
    expect(await contentOf(database)).toEqual(live);
    const { run, scratchDatabase, previousDatabase } = swap;
    const cleanup = {
      command: 'cleanup',
      run,
      database: swap.database,
      scratchDatabase,
      previousDatabase,
      dropPrevious,
    } as const;
    const cleaned = async (keepScratch: boolean) =>
      resultOf(await runRunner({ ...cleanup, keepScratch }, { secrets: secrets() }), 'cleanup');
    expect(await cleaned(true)).toEqual({ restored: false });
    expect(await contentOf(scratchDatabase)).toMatchObject({ rows, schema });
    expect(await cleaned(false)).toEqual({ restored: false });
    expect(await databasesLike('holdfast_scratch%')).toEqual([]);
    expect(await contentOf(database)).toEqual(live);
  });

  test('drops the replaced database where that is asked', async () => {
    const database = await newDatabase();
    const before = await contentOf(database);
    const { task, result } = await backedUp(database);
    await sql(database, 'DELETE FROM noise');
    const restore = restoreTask(task, result.manifestDigest, { dropPrevious: true });
    expect(resultOf(await runRestore(restore), 'swap')).toEqual({});
    expect(await contentOf(database)).toEqual(before);
    expect(await databasesLike(`${database}_before%`)).toEqual([]);
  });

  test('of a part of a database: refused over the live one, and a restore of its own elsewhere', async () => {
    const database = await newDatabase();
    const before = await contentOf(database);
    const selection = { exclude: { tableData: [{ schema: 'public', name: 'noise' }] } };
    const { task, result } = await backedUp(database, { selection });
    const over = restoreTask(task, result.manifestDigest);
    const refused = failureOf(await runRestore(over));
    expect(refused).toMatchObject({ reason: 'RowsMissing', retry: false });
    expect(await contentOf(database)).toEqual(before);
    expect(await databasesLike('holdfast_scratch%')).toEqual([]);

    const beside = { database: address(`${database}_part`) };
    resultOf(await runRestore(restoreTask(task, result.manifestDigest, beside)), 'swap');
    const rows = { ...before.rows, 'ONLY public.noise': { count: '0', hash: '0' } };
    expect(await contentOf(`${database}_part`)).toEqual({ ...before, rows });
  });

  test('of what is missing joins the live database, and says what it added; of a part replaces just that', async () => {
    const database = await newDatabase();
    const before = await contentOf(database);
    const { task, result } = await backedUp(database);
    await sql(database, 'DROP TABLE noise');
    const skip = restoreTask(task, result.manifestDigest, { onConflict: 'Skip' });
    const plan = resultOf(await runRunner(planTask(skip), { secrets: secrets() }), 'plan');
    expect(plan).toMatchObject({ inPlace: true, refusals: [] });
    expect(plan.notes?.join(' ')).toContain('Added (1): table "public"."noise".');
    const loaded = resultOf(await runRunner(loadTask(skip), { secrets: secrets() }), 'load');
    expect(loaded.live?.objects).toMatchObject({
      added: ['table "public"."noise"'],
      kept: ['table "public"."visits"'],
    });
    expect(await contentOf(database)).toEqual(before);

    await sql(database, 'DELETE FROM noise; DELETE FROM visits');
    const selection = { include: { tables: [{ schema: 'public', name: 'noise' }] } };
    const run = { ...skip.run, uid: randomUUID(), specHash: 'another' };
    const replace = restoreTask(task, result.manifestDigest, { selection, run });
    const replaced = resultOf(await runRunner(loadTask(replace), { secrets: secrets() }), 'load');
    expect(replaced.live?.objects).toMatchObject({ replaced: ['table "public"."noise"'], addedCount: 0, keptCount: 0 });
    const after = await contentOf(database);
    expect(after.schema).toEqual(before.schema);
    expect(after.rows['ONLY public.noise']).toEqual(before.rows['ONLY public.noise']);
    expect(await sql(database, 'SELECT FROM visits')).toEqual([]);
    expect(await databasesLike('holdfast_scratch%')).toEqual([]);
  });

  test('makes the database where there is none', async () => {
    const database = await newDatabase();
    const before = await contentOf(database);
    const { task, result } = await backedUp(database);
    const change = { database: address(`${database} "neu" 🦔`), onConflict: 'Fail' as const };
    resultOf(await runRestore(restoreTask(task, result.manifestDigest, change)), 'swap');
    expect(await contentOf(change.database.database)).toEqual(before);
  });

  test.each([
    ['in the header', (size: number) => Math.min(100, size)],
    ['in the first chunk', () => 1000],
    ['in the last chunk', (size: number) => size - 1],
  ])('of an archive with one changed byte %s fails, and the live database is as it was', async (_, at) => {
    const database = await newDatabase();
    const { task, result } = await backedUp(database);
    const [segment] = (await manifestOf(task)).segments;
    const segmentKey = `${task.folder}${segment?.key}`;
    const bytes = await read(segmentKey);
    const index = at(bytes.length);
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: segmentKey, Body: bytes }));
    const live = await contentOf(database);

    const run = await runRestore(restoreTask(task, result.manifestDigest));
    expect(run.exitCode).toBe(4);
    expect(failureOf(run)).toMatchObject({
      retry: false,
      reason: expect.stringMatching(/^Archive(Corrupt|Incomplete)$/),
    });
    expect(await contentOf(database)).toEqual(live);
    expect(await databasesLike('holdfast_scratch%')).toEqual([]);
    expect(await databasesLike(`${database}_before%`)).toEqual([]);
  });

  test('after its fence changes nothing', async () => {
    const database = await newDatabase();
    const { task, result } = await backedUp(database);
    await sql(database, 'DELETE FROM noise');
    const live = await contentOf(database);
    const restore = restoreTask(task, result.manifestDigest, { notAfter: '2026-01-01T00:00:00Z' });
    const run = await runRestore(restore);
    expect(run.exitCode).toBe(4);
    expect(await contentOf(database)).toEqual(live);
    expect(await databasesLike('holdfast_scratch%')).toEqual([]);
  });

  test('ended by SIGTERM while it loads drops its scratch database and leaves the live one', async () => {
    const database = await newDatabase(60);
    const { task, result } = await backedUp(database, { compressionLevel: 1 });
    await sql(database, 'TRUNCATE noise');
    const live = await contentOf(database);
    const running = await startRunner(loadTask(restoreTask(task, result.manifestDigest)), { secrets: secrets() });
    await until(async () => (await childrenNamed(running.child.pid ?? 0, 'pg_restore')).length > 0);
    running.child.kill('SIGTERM');
    const run = await running.ended;
    expect(run.exitCode).toBe(5);
    expect(failureOf(run)).toMatchObject({ reason: 'Interrupted', retry: true });
    expect(await contentOf(database)).toEqual(live);
    expect(await databasesLike('holdfast_scratch%')).toEqual([]);
  });

  test('whose pg_restore is killed fails, and the live database is as it was', async () => {
    const database = await newDatabase(60);
    const { task, result } = await backedUp(database, { compressionLevel: 1 });
    await sql(database, 'TRUNCATE noise');
    const live = await contentOf(database);
    const running = await startRunner(loadTask(restoreTask(task, result.manifestDigest)), { secrets: secrets() });
    let pid: number | undefined;
    await until(async () => {
      [pid] = await childrenNamed(running.child.pid ?? 0, 'pg_restore');
      return pid !== undefined;
    });
    if (pid === undefined) throw new Error('there is no pg_restore');
    process.kill(pid, 'SIGKILL');
    const run = await running.ended;
    expect(run.exitCode).toBe(4);
    expect(failureOf(run).message).toContain('SIGKILL');
    expect(await contentOf(database)).toEqual(live);
    expect(await databasesLike('holdfast_scratch%')).toEqual([]);
  });
});
