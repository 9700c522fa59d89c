import { expect, test } from '@jest/globals';
import {
  backUp,
  furtherDatabases,
  haltWhileLoading,
  printOf,
  scaleLeases,
  startRestore,
  untilAppHas,
} from '../support/e2e-runs.ts';
import { aScene, REPLICAS } from '../support/e2e-scene.ts';
import { sql } from '../support/e2e-world.ts';

test('a restore that is deleted half-way gives the app back and leaves the live database as it was', async () => {
  await using scene = await aScene('restore-deleted', { rows: 50_000 });
  await backUp(scene, 'first');
  await sql(scene.database, 'TRUNCATE orders');
  const before = await printOf(scene);

  await startRestore(scene, 'first', 'first');
  await haltWhileLoading(scene, 'first');
  expect(await furtherDatabases(scene)).toEqual([expect.stringMatching(/^holdfast_scratch_/)]);

  await scene.kubectl.call(['delete', 'restore', 'first', '--timeout=120s']);
  await untilAppHas(scene, REPLICAS);
  expect(await printOf(scene)).toEqual(before);
  expect(await furtherDatabases(scene)).toEqual([]);
  expect(await scaleLeases(scene)).toEqual([]);
});
