import { expect, test } from '@jest/globals';
import { secret } from '../../demo/objects.ts';
import type { Backup } from '../../src/api/backup.ts';
import { startBackup } from '../support/e2e-runs.ts';
import { aKey, aScene, contentOf, makeBucket } from '../support/e2e-scene.ts';
import { until, untilComplete, untilPending } from '../support/e2e-wait.ts';

test('with a wrong password a backup waits and says so, and goes on when the Secret is mended', async () => {
  await using scene = await aScene('wrong-password', { without: ['app'] });
  const { kubectl, login } = scene;
  await kubectl.apply([secret('database-login', { username: login.role, password: 'mistyped' })]);
  await startBackup(scene, 'first');
  const waiting = await untilPending<Backup>(kubectl, 'backup', 'first', 'AuthenticationFailed');
  expect(waiting.status?.failure?.message).toContain(login.role);
  expect(waiting.status?.failure?.hint).toContain('password in the Secret');

  await kubectl.apply([secret('database-login', { username: login.role, password: login.password })]);
  await untilComplete(kubectl, 'backup', 'first');
});

test('with a missing bucket a backup waits and says so, and goes on when there is one', async () => {
  await using scene = await aScene('missing-bucket', { without: ['app', 'bucket'] });
  await startBackup(scene, 'first');
  await until<Backup>(scene.kubectl, 'backup', 'first', ({ status }) => {
    const { reason, message } = status?.failure ?? {};
    return status?.phase === 'Pending' && reason === 'StoreNotReady' && message?.includes(scene.bucket) === true;
  });

  await makeBucket(scene);
  await untilComplete(scene.kubectl, 'backup', 'first');
});

test('without a key a backup waits and tells the command that makes one, and goes on when there is one', async () => {
  await using scene = await aScene('missing-key', { without: ['app', 'key'] });
  await startBackup(scene, 'first');
  const waiting = await untilPending<Backup>(scene.kubectl, 'backup', 'first', 'NoKey');
  expect(waiting.status?.failure?.hint).toContain('age-keygen');
  const { keys } = await contentOf(scene);
  expect(keys.filter((key) => key.includes('/e2e/'))).toEqual([]);

  await scene.kubectl.apply([aKey(scene)]);
  await untilComplete(scene.kubectl, 'backup', 'first');
});
