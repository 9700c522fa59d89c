import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { generateX25519Identity } from 'age-encryption';
import { secret } from '../../demo/objects.ts';
import type { Restore } from '../../src/api/restore.ts';
import { backUp, furtherDatabases, printOf, scaleLeases, startRestore, theApp } from '../support/e2e-runs.ts';
import { aScene, quoted, REPLICAS, type Scene } from '../support/e2e-scene.ts';
import { untilFailed } from '../support/e2e-wait.ts';
import { sql } from '../support/e2e-world.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';

let scene: Scene;
/** A Deployment's generation counts every change of its spec: a scale down and up again would show. */
let generation: number;
let before: Fingerprint;

beforeAll(async () => {
  scene = await aScene('refused');
  await backUp(scene, 'first');
  generation = (await theApp(scene)).metadata.generation;
  before = await printOf(scene);
});

afterAll(async () => scene?.[Symbol.asyncDispose]());

async function expectUntouched(): Promise<void> {
  const app = await theApp(scene);
  expect(app.metadata.generation).toBe(generation);
  expect(app.status?.readyReplicas).toBe(REPLICAS);
  expect(await scaleLeases(scene)).toEqual([]);
  expect(await furtherDatabases(scene)).toEqual([]);
  expect(await printOf(scene)).toEqual(before);
}

test('a database with objects in it is refused unless the restore says Replace, and the app is not touched', async () => {
  await startRestore(scene, 'not-empty', 'first', { onConflict: 'Fail' });
  const failed = await untilFailed<Restore>(scene.kubectl, 'restore', 'not-empty');
  expect(failed.status?.failure?.reason).toBe('TargetNotEmpty');
  await expectUntouched();
});

test('a key that does not open the archive is refused, and the app is not touched', async () => {
  await scene.kubectl.apply([secret('wrong-identity', { identity: await generateX25519Identity() })]);
  await startRestore(scene, 'wrong-key', 'first', {
    identity: { secretRef: { name: 'wrong-identity', key: 'identity' } },
  });
  const failed = await untilFailed<Restore>(scene.kubectl, 'restore', 'wrong-key');
  expect(failed.status?.failure?.reason).toBe('KeyMismatch');
  await expectUntouched();
});

test('a role without the right to make databases is refused with the statement that grants it, and the app is not touched', async () => {
  await sql('postgres', `ALTER ROLE ${quoted(scene.login.role)} NOCREATEDB`);
  await startRestore(scene, 'no-right', 'first');
  const failed = await untilFailed<Restore>(scene.kubectl, 'restore', 'no-right');
  expect(failed.status?.failure?.hint).toContain(`ALTER ROLE ${quoted(scene.login.role)} CREATEDB`);
  await expectUntouched();
});
