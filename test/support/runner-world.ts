/** A runner in this process, on a fake engine and a storage in memory, for tests that make its parts fail. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { BackupTask, SwapTask } from '../../src/api/task.ts';
import { newIdentity } from '../../src/keys/identities.ts';
import type { RunnerContext } from '../../src/runner/context.ts';
import { type FakeDatabase, type FakeServer, fakeContent, fakeServer } from './runner-fake-engine.ts';
import { MemoryStorage } from './runner-memory-storage.ts';

export interface RunnerWorld extends AsyncDisposable {
  readonly database: FakeDatabase;
  readonly server: FakeServer;
  readonly storage: MemoryStorage;
  readonly ending: AbortController;
  readonly backupTask: BackupTask;
  /** What was logged, a line each. */
  readonly log: string[];
  context(change?: Partial<RunnerContext>): RunnerContext;
  restoreTask(manifestDigest: string, change?: Partial<SwapTask>): SwapTask;
}

const DATABASE = {
  engine: 'postgresql',
  host: 'pg',
  port: 5432,
  database: 'shop',
  maintenanceDatabase: 'postgres',
  credentials: { secret: 'login', usernameKey: 'username', passwordKey: 'password' },
} as const;
const STORE = { endpoint: 'http://s3', region: 'r', bucket: 'b', prefix: '', forcePathStyle: true, secret: 's3' };
const RUN = { cluster: 'c', namespace: 'n', name: 'nightly', uid: randomUUID() };

export async function runnerWorld(size = 1_000_000): Promise<RunnerWorld> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-unit-'));
  const { identity, recipient } = await newIdentity('classic');
  const secrets = {
    store: { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key' },
    database: { username: 'app', password: 'secret' },
    identity: { key: identity },
  };
  for (const [mount, keys] of Object.entries(secrets)) {
    await mkdir(join(root, mount));
    for (const [key, value] of Object.entries(keys)) await writeFile(join(root, mount, key), value);
  }
  const database: FakeDatabase = { content: await fakeContent(size) };
  const server = fakeServer(database);
  const storage = new MemoryStorage();
  const ending = new AbortController();
  const log: string[] = [];
  const folder = 'v1/c/n/_manual/20261124T020000Z-12345678/';
  return {
    database,
    server,
    storage,
    ending,
    log,
    backupTask: {
      command: 'backup',
      run: RUN,
      store: STORE,
      folder,
      database: DATABASE,
      recipients: [recipient],
      compressionLevel: 1,
      conditionalWrites: true,
      reportOnly: false,
    },
    context: (change = {}) => ({
      root,
      engine: server.engine,
      openStorage: () => storage,
      log: pino({ level: 'info' }, { write: (line: string) => void log.push(line) }),
      signal: ending.signal,
      now: () => new Date('2026-11-24T02:00:00Z'),
      attempt: randomUUID(),
      segmentBytes: 300_000,
      ...change,
    }),
    restoreTask: (manifestDigest, change = {}) => ({
      command: 'swap',
      run: { ...RUN, name: 'back', specHash: 'x' },
      store: STORE,
      archive: { folder, manifestDigest, cluster: 'c', namespace: 'n' },
      database: DATABASE,
      identity: { secret: 'key', key: 'key' },
      onConflict: 'Replace',
      scratchDatabase: 'scratch',
      previousDatabase: 'before',
      notAfter: '2026-11-24T03:00:00Z',
      dropPrevious: false,
      ...change,
    }),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}
