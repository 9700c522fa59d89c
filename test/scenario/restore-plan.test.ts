/** What a restore finds before it touches anything, on a real API server and with the rights that the chart gives. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { DATABASE_LOCK_PREFIX } from '../../src/api/names.ts';
import type { RestoreSpec } from '../../src/api/restore.ts';
import type { PlanResult } from '../../src/api/task.ts';
import { backupController } from '../../src/controllers/backup/observe.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { restoreController } from '../../src/controllers/restore/observe.ts';
import { KIND } from '../../src/kube/kinds.ts';
import type { ApiServer } from '../cluster/api-server.ts';
import { aBackup, aCompleteBackup } from '../support/builders.ts';
import { createReady, kubectl } from '../support/kube-crds.ts';
import { playJob } from '../support/kube-kubelet.ts';
import { type ScalingScene, taskOf } from '../support/kube-scaling-scene.ts';
import { type ScalingWorld, scalingWorld } from '../support/kube-scaling-world.ts';

jest.setTimeout(60_000);

let it: ScalingWorld;
let scene: ScalingScene;

const WEB = { kind: 'Deployment', name: 'web' } as const;

beforeAll(async () => {
  it = await scalingWorld([restoreController, backupController] as AnyController[], {
    prepare: async (prepared, server) => {
      await runningOn(prepared, 'n1');
      for (const name of ['fits', 'refused']) await aBackupNamed(server, name);
    },
  });
  ({ scene } = it);
}, 120_000);

afterAll(async () => {
  await it?.[Symbol.asyncDispose]();
});

/** Complete, with a database of its own, so that no restore waits for another. */
async function aBackupNamed({ kubeconfig }: ApiServer, name: string): Promise<void> {
  const { spec, ...backup } = aCompleteBackup();
  const source = { postgresql: { ...spec.source.postgresql, database: name } };
  const metadata = { ...backup.metadata, name };
  await createReady(kubeconfig, { ...backup, metadata, spec: { ...spec, source } }, 'shop');
}

/** The app, with a pod that runs as far as anybody can tell without a node. */
async function runningOn(prepared: ScalingScene, nodeName: string): Promise<void> {
  const labels = { app: 'web' };
  const spec = { containers: [{ name: 'app', image: 'app' }], automountServiceAccountToken: false };
  const template = { metadata: { labels }, spec };
  await prepared.create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { replicas: 3, selector: { matchLabels: labels }, template },
  });
  await prepared.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-1', labels },
    spec: { ...spec, nodeName },
  });
}

const FOUND: PlanResult = {
  refusals: [],
  alreadyRestored: false,
  server: '17.6',
  databaseExists: false,
  objects: 0,
  bytesNeeded: 2048,
  compatibility: [{ of: 'PostgreSQL', archive: '17.5', target: '17.6', verdict: 'Fits' }],
  warnings: ['a superuser'],
};
const NODES = { reason: 'Nodes', message: 'it ran on n7', hint: 'force: [Nodes]' };
const RIGHT = { reason: 'RightMissing', message: 'no CREATEDB', hint: 'ALTER ROLE r CREATEDB;' };

/** A dry run whose Job finds this. */
async function tried(name: string, spec: Partial<RestoreSpec>, found: Partial<PlanResult>) {
  scene.held.add(`${name}-plan`);
  await scene.create({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Restore',
    metadata: { name },
    spec: {
      from: { backupRef: { name } },
      dryRun: true,
      scaleDown: { workloads: [WEB] },
      ...spec,
    },
  });
  const job = await scene.jobOf(name, 'plan');
  expect(await locks()).toHaveLength(1);
  await playJob(it.server.kubeconfig, job, { command: 'plan', ok: true, result: { ...FOUND, ...found } });
  return { task: taskOf(job), status: await scene.over(name) };
}

async function locks(): Promise<string[]> {
  const names = await kubectl(it.server.kubeconfig, ['get', 'leases', '-A', '-o', 'name']);
  return names.split('\n').filter((name) => name.includes(DATABASE_LOCK_PREFIX));
}

async function untouched(name: string): Promise<void> {
  expect(await scene.field('deployment/web', '{.spec.replicas}')).toBe('3');
  expect((await scene.jobs()).filter(({ metadata }) => metadata.ownerReferences?.[0]?.name === name)).toHaveLength(1);
  expect(await scene.lease(WEB)).toBeUndefined();
  expect(await locks()).toEqual([]);
}

test('a dry run says everything, touches nothing, frees its lock, and knows where the app runs', async () => {
  const { task, status } = await tried('fits', { target: { postgresql: { maxBytes: '5Gi' } } }, {});
  expect(task).toMatchObject({ command: 'plan', nodes: ['n1'], maxBytes: 5 * 1024 ** 3 });
  expect(status).toMatchObject({
    phase: 'Complete',
    outcome: { result: 'DryRun' },
    plan: {
      bytesNeeded: 2048,
      compatibility: FOUND.compatibility,
      warnings: expect.arrayContaining(['a superuser']),
    },
  });
  expect(status?.scaledWorkloads).toBeUndefined();
  await untouched('fits');
});

test('refusals are listed, those that were forced too, and a Warning event tells of these', async () => {
  const { task, status } = await tried('refused', { force: ['Nodes'] }, { refusals: [NODES, RIGHT] });
  expect(task).toMatchObject({ force: ['Nodes'] });
  expect(status).toMatchObject({
    phase: 'Failed',
    failure: RIGHT,
    plan: {
      refusals: [
        { ...NODES, forceable: true, forced: true },
        { ...RIGHT, forceable: false, forced: false },
      ],
    },
  });
  expect(await scene.condition('refused', 'Forced')).toMatchObject({ status: 'True', reason: 'RefusalsForced' });
  const events = await scene.kubectl([
    'get',
    'events',
    '-o',
    'jsonpath={range .items[*]}{.type} {.reason} {.message}{"\\n"}{end}',
  ]);
  expect(events).toContain('Warning RefusalsForced spec.force takes on Nodes: it ran on n7');
  await untouched('refused');
});

test('a backup of an app that is sealed to its nodes has them in its task, and in its status when it is Complete', async () => {
  const application = { version: '1.24.3', workloads: [WEB], requireSameNodes: true };
  const { spec, status: _, ...rest } = aBackup({ metadata: { name: 'sealed' } });
  const source = { postgresql: { ...spec.source.postgresql, database: 'sealed' } };
  await createReady(it.server.kubeconfig, { ...rest, spec: { ...spec, source, application } }, 'shop');
  const job = await scene.jobOf('sealed', 'backup');
  const recorded = {
    version: '1.24.3',
    workloads: [{ ...WEB, apiVersion: 'apps/v1' }],
    requireSameNodes: true,
    nodes: ['n1'],
  };
  expect(taskOf(job)).toMatchObject({ command: 'backup', application: recorded });
  const result = {
    manifestDigest: `sha256:${'ab'.repeat(32)}`,
    sizes: { source: 10, stored: 5 },
    keyFingerprints: ['sha256:x'],
    server: { engine: 'postgresql', version: '17.6' },
    tool: 'pg_dump 17.6',
    verifiedTime: '2026-11-24T12:00:00Z',
  };
  await playJob(it.server.kubeconfig, job, { command: 'backup', ok: true, result });
  const done = async () => (await scene.cluster.get(KIND.backup, { namespace: 'shop', name: 'sealed' }))?.status;
  await scene.until('the backup', async () => (await done())?.phase === 'Complete');
  expect((await done())?.application).toEqual(recorded);
});
