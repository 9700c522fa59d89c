import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import type { Restore } from '../../src/api/restore.ts';
import { isAlive, keepersOf, processesOf, signal } from '../support/e2e-processes.ts';
import { backUp, haltWhileLoading, printOf, startRestore, untilAppHas } from '../support/e2e-runs.ts';
import { aScene, REPLICAS } from '../support/e2e-scene.ts';
import { eventually, untilFailed } from '../support/e2e-wait.ts';
import { sql } from '../support/e2e-world.ts';

/** The shortest that a Restore may say. */
const DEADLINE_SECONDS = 60;

/**
 * What a node does that the cluster lost: the runner still has its sessions, nobody can end it, and it goes on when the node comes
 * back. Here the runner is halted, and so is what would tell the kubelet about it or end it.
 */
test('a runner that comes back after its time changes nothing, and the app is back long before', async () => {
  await using scene = await aScene('fence', { rows: 50_000 });
  await backUp(scene, 'first');
  await sql(scene.database, 'TRUNCATE orders');
  const before = await printOf(scene);

  await startRestore(scene, 'first', 'first', { activeDeadlineSeconds: DEADLINE_SECONDS });
  const pod = await haltWhileLoading(scene, 'first');
  const runner = processesOf(pod.metadata.uid).filter(({ argv }) => !argv[0]?.includes('containerd-shim'));
  const late = runner.filter(({ argv }) => argv.some((word) => word.endsWith('/main/runner.mjs')));
  const keepers = keepersOf(runner);
  expect({ late: late.length, keepers: keepers.length }).toEqual({ late: 1, keepers: 1 });
  signal([...keepers, ...runner], 'SIGSTOP');
  try {
    await untilAppHas(scene, REPLICAS, DEADLINE_SECONDS + 120);
    expect(late.every(isAlive)).toBe(true);

    signal(runner, 'SIGCONT');
    await eventually('the late runner has given up', async () => !late.some(isAlive));
  } finally {
    signal([...runner, ...keepers], 'SIGCONT');
  }
  const failed = await untilFailed<Restore>(scene.kubectl, 'restore', 'first');
  expect(failed.status?.previousDatabase).toBeUndefined();
  // The app writes again: what it finds and what it adds is in the old database, for good.
  await sleep(2_000);
  expect(await printOf(scene)).toEqual(before);
  await untilAppHas(scene, REPLICAS);
}, 400_000);
