import { expect, test } from '@jest/globals';
import type { Restore } from '../../src/api/restore.ts';
import { processesOf, signal } from '../support/e2e-processes.ts';
import {
  backUp,
  furtherDatabases,
  podOf,
  printOf,
  scaleLeases,
  startRestore,
  untilAppHas,
} from '../support/e2e-runs.ts';
import { aScene, REPLICAS } from '../support/e2e-scene.ts';
import { eventually, until } from '../support/e2e-wait.ts';
import { sql } from '../support/e2e-world.ts';

test('a restore that is deleted half-way gives the app back and leaves the live database as it was', async () => {
  await using scene = await aScene('restore-deleted', { rows: 50_000 });
  await backUp(scene, 'first');
  await sql(scene.database, 'TRUNCATE orders');
  const before = await printOf(scene);

  await startRestore(scene, 'first', 'first');
  const loading = await until<Restore>(scene.kubectl, 'restore', 'first', ({ status }) => status?.phase === 'Loading');
  const pod = await podOf(scene, loading.status?.jobName ?? '');
  // Halted, so that half-way it stays.
  await eventually('pg_restore is at work', async () => {
    const loaders = processesOf(pod.metadata.uid).filter(({ argv }) => argv[0]?.endsWith('pg_restore'));
    signal(loaders, 'SIGSTOP');
    return loaders.length > 0;
  });
  expect(await furtherDatabases(scene)).toEqual([expect.stringMatching(/^holdfast_scratch_/)]);

  await scene.kubectl.call(['delete', 'restore', 'first', '--timeout=120s']);
  await untilAppHas(scene, REPLICAS);
  expect(await printOf(scene)).toEqual(before);
  expect(await furtherDatabases(scene)).toEqual([]);
  expect(await scaleLeases(scene)).toEqual([]);
});
