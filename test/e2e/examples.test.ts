/** Every example that the cluster of the tests can serve, applied with nothing but names and hosts replaced. */
import { expect, test } from '@jest/globals';
import { secret } from '../../demo/objects.ts';
import type { BackupSchedule } from '../../src/api/backup-schedule.ts';
import type { Restore } from '../../src/api/restore.ts';
import { applyExample, runNow, theBucket, theDatabase, theKey } from '../support/e2e-examples.ts';
import { backUp, identitySecret, printOf, theApp, untilAppHas } from '../support/e2e-runs.ts';
import { aScene, contentOf, REPLICAS, type Scene } from '../support/e2e-scene.ts';
import { until, untilComplete } from '../support/e2e-wait.ts';
import { POSTGRES_HOST, theWorld } from '../support/e2e-world.ts';

const manifestsOf = async (scene: Scene) =>
  (await contentOf(scene)).keys.filter((key) => key.endsWith('/manifest.json'));

test('nightly.yaml and six-runs-a-day.yaml know their next run, and make one when told to', async () => {
  await using scene = await aScene('nightly', { without: ['app', 'key'] });
  await applyExample(scene, 'nightly.yaml', [...theBucket(scene), ...theKey(scene), ...theDatabase(scene)]);
  await scene.kubectl.call([
    ...['wait', '--for=condition=Ready', 'backupstore/backups', 'backupkey/backups', 'backupschedule/nightly'],
    '--timeout=120s',
  ]);
  expect((await runNow(scene, 'nightly')).status?.nextScheduleTime).toBeTruthy();

  await applyExample(scene, 'six-runs-a-day.yaml', theDatabase(scene));
  const six = await until<BackupSchedule>(
    scene.kubectl,
    'backupschedule',
    'six-a-day',
    ({ status }) => status?.nextScheduleTime !== undefined,
  );
  expect(six.spec.retention).toEqual({ keepWithin: '14d' });
  await runNow(scene, 'six-a-day');
  const manifests = await manifestsOf(scene);
  expect(manifests.filter((key) => key.includes('/nightly/'))).toHaveLength(1);
  expect(manifests.filter((key) => key.includes('/six-a-day/'))).toHaveLength(1);
});

test('key-manager/restore.yaml puts the database back with the backend at zero, and brings that back', async () => {
  await using scene = await aScene('key-manager');
  const before = await printOf(scene);
  await backUp(scene, 'before-upgrade');
  await scene.kubectl.apply([identitySecret(scene)]);
  await applyExample(scene, 'key-manager/restore.yaml', [
    ['name: CHANGE-ME', 'name: before-upgrade'],
    ['name: manager-backend', 'name: app'],
  ]);
  const restored = await untilComplete<Restore>(scene.kubectl, 'restore', 'manager-before-upgrade');
  expect(restored.status?.scaledWorkloads).toMatchObject([{ name: 'app', replicas: REPLICAS, restored: true }]);
  expect(restored.status?.previousDatabase).toBeTruthy();
  expect(restored.status?.safetyBackup?.time).toBeTruthy();
  expect(await printOf(scene)).toEqual(before);
  await untilAppHas(scene, REPLICAS);
  expect((await theApp(scene)).spec.replicas).toBe(REPLICAS);
});

test('gitops/backups becomes Ready, applied on the server as Argo CD and Flux do, and backs up when its trigger changes', async () => {
  await using scene = await aScene('gitops', { without: ['app', 'key'] });
  await applyExample(scene, 'gitops/backups/key.yaml', theKey(scene));
  await applyExample(scene, 'gitops/backups/store.yaml', theBucket(scene));
  await applyExample(scene, 'gitops/backups/schedule.yaml', theDatabase(scene));
  await scene.kubectl.call([
    ...['wait', '--for=condition=Ready', 'backupstore/backups', 'backupkey/backups', 'backupschedule/nightly'],
    '--timeout=120s',
  ]);
  await runNow(scene, 'nightly');
  const backups = await scene.kubectl.list<{ metadata: { annotations?: object; ownerReferences?: object } }>('backup');
  expect(backups).toHaveLength(1);
  // What a tool would claim and prune.
  expect(backups[0]?.metadata.ownerReferences).toBeUndefined();
  expect(JSON.stringify(backups[0]?.metadata.annotations ?? {})).not.toContain('argocd');
});

test('instance.yaml backs up every database of the server, with its roles', async () => {
  await using scene = await aScene('server', { without: ['app'] });
  await scene.kubectl.apply([
    secret('server-login', { username: 'postgres', password: theWorld().postgres.superuserPassword }),
  ]);
  await applyExample(scene, 'instance.yaml', [
    ['host: postgres.shop.svc', `host: ${POSTGRES_HOST}`],
    ['name: backups', 'name: store'],
  ]);
  // It waits for whatever another file does on this server, and takes all that others left there.
  await runNow(scene, 'server', 240);
  const { keys } = await contentOf(scene);
  expect(keys.filter((key) => key.includes('globals.sql'))).toHaveLength(1);
});
