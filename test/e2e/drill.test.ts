import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { secret } from '../../demo/objects.ts';
import type { Backup } from '../../src/api/backup.ts';
import type { BackupSchedule } from '../../src/api/backup-schedule.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import type { Restore, RestoreSpec } from '../../src/api/restore.ts';
import { applyExample } from '../support/e2e-examples.ts';
import { backUp, furtherDatabases } from '../support/e2e-runs.ts';
import { aScene, type Scene } from '../support/e2e-scene.ts';
import { until, untilComplete, untilFailed } from '../support/e2e-wait.ts';
import { sql, theWorld } from '../support/e2e-world.ts';

interface Pod {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly phase?: string };
}

describe('a drill', () => {
  let scene: Scene;

  beforeAll(async () => {
    scene = await aScene('drill', { rows: 500, without: ['app'] });
    await scene.kubectl.apply([secret('restore-identity', { identity: scene.identity })]);
    await backUp(scene, 'first');
  });

  afterAll(async () => scene?.[Symbol.asyncDispose]());

  const drill = (name: string, over: Partial<RestoreSpec> = {}) =>
    scene.kubectl.apply([
      {
        apiVersion: API_VERSION,
        kind: 'Restore',
        metadata: { name },
        spec: {
          from: { backupRef: { name: 'first' } },
          target: { ephemeral: { image: theWorld().postgresImage, storage: { size: '2Gi' } } },
          identity: { secretRef: { name: 'restore-identity', key: 'identity' } },
          ...over,
        },
      },
    ]);

  test('restores a backup without the database that it is of, asks what it is told to, and makes the backup Restored', async () => {
    // The server of the database is not asked, whatever becomes of it.
    await sql('postgres', `ALTER ROLE "${scene.login.role}" NOLOGIN`);
    await drill('sunday', {
      checks: [
        { name: 'customers', sql: 'SELECT count(*) FROM customers', expect: '500' },
        { name: 'owner', sql: `SELECT tableowner FROM pg_tables WHERE tablename = 'orders'`, expect: scene.login.role },
      ],
    });
    const { status } = await untilComplete<Restore>(scene.kubectl, 'restore', 'sunday');
    expect(status).toMatchObject({
      outcome: { result: 'Drilled' },
      drill: { databases: 1, tables: 2, rows: 1000, duration: expect.stringMatching(/s$/) },
      checks: [
        { name: 'customers', passed: true },
        { name: 'owner', passed: true },
      ],
    });
    const backup = await until<Backup>(
      scene.kubectl,
      'backup',
      'first',
      (object) => object.status?.verification?.level === 'Restored',
    );
    expect(backup.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Verified', status: 'True', reason: 'Restored' }),
    );
    await sql('postgres', `ALTER ROLE "${scene.login.role}" LOGIN`);
  });

  test('is what examples/drill.yaml asks for', async () => {
    await applyExample(scene, 'drill.yaml', [
      ['name: CHANGE-ME', 'name: first'],
      ['ephemeral:', `ephemeral:\n      image: ${theWorld().postgresImage}`],
    ]);
    const { status } = await untilComplete<Restore>(scene.kubectl, 'restore', 'drill');
    expect(status?.checks).toEqual([{ name: 'has-customers', passed: true }]);
  });

  test('leaves no database, no volume and nothing that runs', async () => {
    expect(await furtherDatabases(scene)).toEqual([]);
    expect(await scene.kubectl.list('persistentvolumeclaim')).toEqual([]);
    const pods = await scene.kubectl.list<Pod>('pod');
    expect(pods.filter(({ status }) => status?.phase !== 'Succeeded')).toEqual([]);
    expect((await scene.kubectl.get<Restore>('restore', 'sunday'))?.metadata.finalizers).toBeUndefined();
  });

  test('with a check that does not hold fails, and takes nothing back of what is known', async () => {
    await drill('strict', { checks: [{ name: 'many', sql: 'SELECT count(*) > 1000000 FROM orders', expect: 'true' }] });
    const { status } = await untilFailed<Restore>(scene.kubectl, 'restore', 'strict');
    expect(status).toMatchObject({ failure: { reason: 'CheckFailed' }, checks: [{ name: 'many', passed: false }] });
    const backup = await scene.kubectl.get<Backup>('backup', 'first');
    expect(backup?.status?.verification?.level).toBe('Restored');
  });

  test('of a schedule comes at its time, of its newest backup, and is told in its status', async () => {
    const ofNightly = 'holdfast.dev/schedule=nightly';
    await scene.kubectl.call(['label', 'backup', 'first', ofNightly]);
    await scene.kubectl.call(['annotate', 'backup', 'first', ofNightly]);
    await scene.kubectl.apply([
      {
        apiVersion: API_VERSION,
        kind: 'BackupSchedule',
        metadata: { name: 'nightly' },
        spec: {
          schedule: '0 0 29 2 *',
          drill: {
            schedule: '* * * * *',
            identity: { secretRef: { name: 'restore-identity', key: 'identity' } },
            ephemeral: { image: theWorld().postgresImage },
          },
          template: { spec: (await scene.kubectl.get<Backup>('backup', 'first'))?.spec },
        },
      },
    ]);
    // The next minute, and the drill.
    const { status } = await until<BackupSchedule>(
      scene.kubectl,
      'backupschedule',
      'nightly',
      (schedule) => schedule.status?.lastDrill !== undefined,
      { seconds: 150 },
    );
    await scene.kubectl.call(['delete', 'backupschedule', 'nightly']);
    expect(status?.lastDrill).toMatchObject({ backup: 'first', result: 'Restored' });
    expect(status?.lastDrill?.restore).toMatch(/^nightly-drill-[0-9]{12}$/);
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Drilled', status: 'True' }));
  });

  test('with an image that is no PostgreSQL says so', async () => {
    const image = theWorld().holdfastImage;
    await drill('wrong-image', { target: { ephemeral: { image } } });
    const { status } = await untilFailed<Restore>(scene.kubectl, 'restore', 'wrong-image');
    expect(status?.failure?.message).toMatch(/initdb/);
  });
});
