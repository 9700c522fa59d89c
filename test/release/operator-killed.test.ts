import { expect, test } from '@jest/globals';
import type { Restore } from '../../src/api/restore.ts';
import { type Process, processesOf, signal } from '../support/e2e-processes.ts';
import { backUp, type Deployment, printOf, scaleLeases, startRestore, untilAppHas } from '../support/e2e-runs.ts';
import { aScene, REPLICAS } from '../support/e2e-scene.ts';
import { eventually, until, untilComplete } from '../support/e2e-wait.ts';
import { kubectlIn, OPERATOR_NAMESPACE, sql } from '../support/e2e-world.ts';

async function operators(): Promise<readonly Process[]> {
  const pods = await kubectlIn(OPERATOR_NAMESPACE).list<{ metadata: { uid: string } }>('pod');
  return pods
    .flatMap(({ metadata }) => processesOf(metadata.uid))
    .filter(({ argv }) => argv.some((word) => word.endsWith('/main/controller.mjs')));
}

/** As the kernel's memory killer would: no farewell, no handing over of the leader's Lease. */
async function killOperators(): Promise<void> {
  const both = await operators();
  expect(both).toHaveLength(2);
  signal(both, 'SIGKILL');
}

test('the app gets its three replicas back and the restore ends, though both operators were killed while it was at zero', async () => {
  await using scene = await aScene('operator-killed', { rows: 50_000 });
  await backUp(scene, 'first');
  const before = await printOf(scene);
  await sql(scene.database, 'TRUNCATE orders');

  // Those of the release before may still be ending.
  await eventually('there are two operators', async () => (await operators()).length === 2);
  await startRestore(scene, 'first', 'first');
  await until<Deployment>(scene.kubectl, 'deployment', 'app', ({ spec }) => spec.replicas === 0);
  await killOperators();

  await untilComplete<Restore>(scene.kubectl, 'restore', 'first', 180);
  await untilAppHas(scene, REPLICAS);
  expect(await printOf(scene)).toEqual(before);
  expect(await scaleLeases(scene)).toEqual([]);
});
