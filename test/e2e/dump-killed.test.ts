import { expect, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import { processesOf, signal } from '../support/e2e-processes.ts';
import { podOf, startBackup } from '../support/e2e-runs.ts';
import { aScene, contentOf } from '../support/e2e-scene.ts';
import { eventually, until, untilFailed } from '../support/e2e-wait.ts';

test('a pg_dump that is killed half-way makes the backup Failed and leaves no manifest and no upload', async () => {
  await using scene = await aScene('dump-killed', { rows: 1_000_000, without: ['app'] });
  await startBackup(scene, 'first');
  const running = await until<Backup>(scene.kubectl, 'backup', 'first', ({ status }) => status?.phase === 'Running');
  const pod = await podOf(scene, running.status?.jobName ?? '');
  const dumps = () => processesOf(pod.metadata.uid).filter(({ argv }) => argv[0]?.endsWith('pg_dump'));

  await eventually('an upload has begun', async () => (await contentOf(scene)).uploads.length > 0);
  expect(dumps()).toHaveLength(1);
  signal(dumps(), 'SIGKILL');

  const failed = await untilFailed<Backup>(scene.kubectl, 'backup', 'first');
  expect(failed.status?.failure?.message).toMatch(/pg_dump/);
  const { keys, uploads } = await contentOf(scene);
  expect(keys.filter((key) => key.endsWith('manifest.json'))).toEqual([]);
  expect(uploads).toEqual([]);
});
