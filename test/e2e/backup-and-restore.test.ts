import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import type { Restore } from '../../src/api/restore.ts';
import {
  furtherDatabases,
  printOf,
  restore,
  scaleLeases,
  startBackup,
  theApp,
  untilAppHas,
} from '../support/e2e-runs.ts';
import { aScene, contentOf, quoted, REPLICAS, type Scene } from '../support/e2e-scene.ts';
import { sql } from '../support/e2e-world.ts';

describe('a backup and its restore', () => {
  let scene: Scene;
  let before: unknown;
  /** What the restore replaces. */
  let wrecked: unknown;

  beforeAll(async () => {
    scene = await aScene('round-trip');
    before = await print(scene.database);
  });

  afterAll(async () => scene?.[Symbol.asyncDispose]());

  const print = (database: string) => printOf({ database });

  test('kubectl wait sees the backup become Complete, with sizes, and verified', async () => {
    await startBackup(scene, 'first');
    await scene.kubectl.call(['wait', '--for=condition=Complete', 'backup/first', '--timeout=120s']);
    const backup = await scene.kubectl.get<Backup>('backup', 'first');
    expect(backup?.status).toMatchObject({ phase: 'Complete', verification: { level: 'ReadBack' } });
    expect(backup?.status?.sizes?.source).toBeGreaterThan(100_000);
    expect(backup?.status?.sizes?.stored).toBeGreaterThan(10_000);
  });

  test('the manifest is in the bucket and no upload is left open', async () => {
    const { keys, uploads } = await contentOf(scene);
    expect(keys.filter((key) => key.endsWith('/manifest.json'))).toHaveLength(1);
    expect(uploads).toEqual([]);
  });

  test('the restore brings back every row, and the app to its three replicas', async () => {
    await sql(
      scene.database,
      "DROP VIEW orders_by_customer; DELETE FROM orders WHERE id % 2 = 0; UPDATE customers SET note = 'lost'",
    );
    expect(await print(scene.database)).not.toEqual(before);
    wrecked = await print(scene.database);
    const restored = await restore(scene, 'first', 'first', { safetyBackup: true });
    expect(restored.status).toMatchObject({
      phase: 'Complete',
      scaledWorkloads: [{ name: 'app', replicas: REPLICAS, restored: true }],
    });
    expect(await print(scene.database)).toEqual(before);
    await untilAppHas(scene, REPLICAS);
  });

  test('the replaced database is kept under the name in the status, with what it held', async () => {
    const status = (await scene.kubectl.get<Restore>('restore', 'first'))?.status;
    expect(await furtherDatabases(scene)).toEqual([status?.previousDatabase]);
    // The previous database takes no sessions until somebody says so.
    const name = status?.previousDatabase ?? '';
    await sql('postgres', `ALTER DATABASE ${quoted(name)} ALLOW_CONNECTIONS true`);
    expect(await print(name)).toEqual(wrecked);
  });

  test('what was replaced was saved first, as a Backup that restores like any other', async () => {
    const { safetyBackup } = (await scene.kubectl.get<Restore>('restore', 'first'))?.status ?? {};
    const saved = await scene.kubectl.get<Backup>('backup', safetyBackup?.name ?? '');
    expect(saved?.status).toMatchObject({ phase: 'Complete', origin: 'Safety', completionTime: safetyBackup?.time });
    expect(saved?.metadata.ownerReferences).toBeUndefined();
    const database = `${scene.database}-as-it-was`;
    const target = { postgresql: { database } };
    await restore(scene, 'look-at-it', safetyBackup?.name ?? '', { onConflict: 'Fail', target });
    expect(await print(database)).toEqual(wrecked);
  });

  test('nothing of the restore holds the app any more', async () => {
    expect(await scaleLeases(scene)).toEqual([]);
    const app = await theApp(scene);
    expect(app.spec.replicas).toBe(REPLICAS);
  });
});
