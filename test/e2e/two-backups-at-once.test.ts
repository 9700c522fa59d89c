import { expect, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import { startBackup } from '../support/e2e-runs.ts';
import { aScene } from '../support/e2e-scene.ts';
import { until, untilComplete } from '../support/e2e-wait.ts';
import { openSession } from '../support/e2e-world.ts';

test('of two backups of one database one waits and says for which, and both become Complete', async () => {
  await using scene = await aScene('two-at-once', { without: ['app'] });
  await using locker = await openSession(scene.database);
  // pg_dump wants to read the table too, so the first backup runs for as long as we like.
  await locker.rows('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
  await startBackup(scene, 'first');
  await until<Backup>(scene.kubectl, 'backup', 'first', ({ status }) => status?.phase === 'Running');
  await startBackup(scene, 'second');
  const waiting = await until<Backup>(
    scene.kubectl,
    'backup',
    'second',
    ({ status }) => status?.phase === 'Pending' && status.failure !== undefined,
  );
  expect(waiting.status?.failure?.message).toContain('first');

  await locker.rows('ROLLBACK');
  await untilComplete(scene.kubectl, 'backup', 'first');
  await untilComplete(scene.kubectl, 'backup', 'second');
});
