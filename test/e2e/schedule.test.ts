import { expect, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import type { BackupSchedule } from '../../src/api/backup-schedule.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import { aScene, contentOf, type Scene } from '../support/e2e-scene.ts';
import { eventually, until, untilComplete } from '../support/e2e-wait.ts';
import { POSTGRES_HOST } from '../support/e2e-world.ts';

/** Runs when it is made, at each new trigger, and by itself only on 29 February. */
function aSchedule(scene: Scene, trigger?: string): object {
  const postgresql = {
    host: POSTGRES_HOST,
    database: scene.database,
    credentials: { secretRef: { name: 'database-login' } },
  };
  return {
    apiVersion: API_VERSION,
    kind: 'BackupSchedule',
    metadata: { name: 'nightly', labels: { 'argocd.argoproj.io/instance': 'shop' } },
    spec: {
      schedule: '0 0 29 2 *',
      timeZone: 'Europe/Paris',
      runOnCreate: true,
      ...(trigger === undefined ? {} : { trigger }),
      retention: { keepLast: 1 },
      template: { spec: { source: { postgresql }, storeRef: { name: 'store' } } },
    },
  };
}

const manifestsOf = async (scene: Scene) =>
  (await contentOf(scene)).keys.filter((key) => key.endsWith('/manifest.json'));

test('a schedule backs up when told to, and retention removes the archive and the Backup that it lets go, and nothing else', async () => {
  await using scene = await aScene('schedule', { without: ['app'] });
  const { kubectl } = scene;
  await kubectl.apply([aSchedule(scene)]);
  const made = await until<BackupSchedule>(
    kubectl,
    'backupschedule',
    'nightly',
    ({ status }) => status?.lastBackup !== undefined,
  );
  const first = made.status!.lastBackup!;
  const { metadata } = await untilComplete<Backup>(kubectl, 'backup', first);
  expect(metadata.labels).toEqual({ 'app.kubernetes.io/managed-by': 'holdfast', 'holdfast.dev/schedule': 'nightly' });
  expect(await manifestsOf(scene)).toHaveLength(1);

  await kubectl.apply([aSchedule(scene, 'before-the-upgrade')]);
  const told = await until<BackupSchedule>(
    kubectl,
    'backupschedule',
    'nightly',
    ({ status }) => status?.lastTrigger === 'before-the-upgrade',
  );
  const second = told.status!.lastBackup!;
  const newest = await untilComplete<Backup>(kubectl, 'backup', second);

  // One was kept before the second was counted, too.
  await eventually('the first Backup is gone', async () => (await kubectl.get('backup', first)) === undefined);
  await until<BackupSchedule>(kubectl, 'backupschedule', 'nightly', ({ status }) => status?.keptBackups === 1);
  expect(await manifestsOf(scene)).toEqual([
    `${newest.status!.location!.replace(`s3://${scene.bucket}/`, '')}manifest.json`,
  ]);
  // Of the archive that went nothing is left: the probe's object is the only other thing in the bucket.
  const folder = newest.status!.location!.replace(`s3://${scene.bucket}/`, '');
  const others = (await contentOf(scene)).keys.filter((key) => !key.startsWith(folder) && !key.includes('/.probe/'));
  expect(others).toEqual([]);
});
