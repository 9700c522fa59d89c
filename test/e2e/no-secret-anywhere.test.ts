import { expect, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import type { Restore } from '../../src/api/restore.ts';
import { processesOf, signal } from '../support/e2e-processes.ts';
import { haltWhileLoading, loadersIn, printOf, startBackup, startRestore } from '../support/e2e-runs.ts';
import { aScene, type Scene } from '../support/e2e-scene.ts';
import { eventually, untilComplete } from '../support/e2e-wait.ts';
import { kubectlIn, OPERATOR_NAMESPACE, openSession, theWorld } from '../support/e2e-world.ts';

/** Everything of the namespace that a person can read without the right to read Secrets. */
const READABLE = `pod,job,event,lease,configmap,serviceaccount,deployment,backup.holdfast.dev,restore.holdfast.dev,backupstore.holdfast.dev,backupkey.holdfast.dev`;

/** What must stay within its Secret, as it is and as it looks when something encodes it. */
function canaries(scene: Scene): string[] {
  const secrets = [scene.login.password, scene.identity, theWorld().s3.secretAccessKey];
  return secrets.flatMap((secret) => [
    secret,
    // Whatever becomes of its quotes and backslashes: its end is plain, long and random.
    secret.slice(-20),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    Buffer.from(secret).toString('hex'),
  ]);
}

/** After a minute pg_dump gives up its wait for a table. */
const PG_DUMP_WAITS_SECONDS = 50;

interface PodList {
  readonly metadata: { readonly name: string; readonly uid: string };
}

/** Looks again and again at all that a leak could be seen in, until it is stopped. */
class Watcher {
  readonly seen = new Map<string, string>();
  readonly programs = new Set<string>();
  readonly #scene: Scene;
  readonly #stop = new AbortController();
  readonly #looking: Promise<unknown>;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#looking = Promise.all([this.#lookAtProcesses(), this.#lookAtCluster()]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#looking;
  }

  async #lookAtProcesses(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const { metadata } of await this.#scene.kubectl.list<PodList>('pod')) {
        for (const { argv, environment } of processesOf(metadata.uid)) {
          this.programs.add(argv[0]?.split('/').at(-1) ?? '');
          this.#saw(`arguments in ${metadata.name}`, argv.join('\n'));
          this.#saw(`environment in ${metadata.name}`, environment.join('\n'));
        }
      }
    }
  }

  async #lookAtCluster(): Promise<void> {
    const { kubectl } = this.#scene;
    const operator = kubectlIn(OPERATOR_NAMESPACE);
    while (!this.#stop.signal.aborted) {
      // Annotations, arguments, environment, termination messages and conditions are all in the objects.
      this.#saw('objects', await kubectl.call(['get', READABLE, '-o', 'yaml']));
      for (const { metadata } of await kubectl.list<PodList>('pod')) {
        this.#saw(`log of ${metadata.name}`, await log(kubectl, metadata.name));
      }
      for (const { metadata } of await operator.list<PodList>('pod')) {
        this.#saw(`log of ${metadata.name}`, await log(operator, metadata.name));
      }
    }
  }

  #saw(where: string, text: string): void {
    this.seen.set(where, `${this.seen.get(where) ?? ''}${text}`);
  }
}

/** A pod that has not started has no log yet. */
function log(kubectl: { call(args: readonly string[]): Promise<string> }, pod: string): Promise<string> {
  return kubectl.call(['logs', pod, '--all-containers']).catch(() => '');
}

test('passwords and keys are nowhere but in their Secrets, before, while and after they are used', async () => {
  await using scene = await aScene('canary', { rows: 50_000 });
  const watcher = new Watcher(scene);
  try {
    {
      // Each program stays until it was looked at: pg_dump waits for a table, and pg_restore is halted.
      await using locker = await openSession(scene.database);
      await locker.rows('BEGIN');
      await locker.rows('LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
      await startBackup(scene, 'first');
      await eventually('pg_dump is seen', async () => watcher.programs.has('pg_dump'), PG_DUMP_WAITS_SECONDS);
      await locker.rows('ROLLBACK');
    }
    await untilComplete<Backup>(scene.kubectl, 'backup', 'first');
    const before = await printOf(scene);
    await startRestore(scene, 'first', 'first', { safetyBackup: true });
    const pod = await haltWhileLoading(scene, 'first');
    await eventually('pg_restore is seen', async () => watcher.programs.has('pg_restore'));
    signal(loadersIn(pod), 'SIGCONT');
    await untilComplete<Restore>(scene.kubectl, 'restore', 'first');
    expect(await printOf(scene)).toEqual(before);
    // And on a path where things fail: names that are wrong make messages.
    await scene.kubectl.apply([
      {
        apiVersion: API_VERSION,
        kind: 'Restore',
        metadata: { name: 'refused' },
        spec: {
          from: { backupRef: { name: 'first' } },
          identity: { secretRef: { name: 'database-login', key: 'password' } },
        },
      },
    ]);
    await scene.kubectl.call(['wait', '--for=condition=Failed', 'restore/refused', '--timeout=120s']);
  } finally {
    await watcher.stop();
  }

  // That we looked at the right things, while they were at work.
  expect([...watcher.programs]).toEqual(expect.arrayContaining(['node', 'pg_dump', 'pg_restore']));
  expect(watcher.seen.get('objects')).toContain('holdfast.dev/task');
  expect([...watcher.seen.keys()].some((where) => where.startsWith('log of holdfast-'))).toBe(true);
  for (const [where, text] of watcher.seen) {
    const leaked = canaries(scene).filter((canary) => text.includes(canary));
    expect({ where, leaked }).toEqual({ where, leaked: [] });
  }
});
