/** What a restore brings back, on a real API server and with the rights that the chart gives: chosen once, whatever comes and goes. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import type { Job } from '../../src/api/kubernetes.ts';
import { LABELS } from '../../src/api/names.ts';
import type { PruneTask, Report } from '../../src/api/task.ts';
import { storeAccessOf } from '../../src/controllers/access.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { restoreController } from '../../src/controllers/restore/observe.ts';
import { Http } from '../../src/kube/http.ts';
import { runnerJob } from '../../src/manifests/runner-job.ts';
import { parseTask } from '../../src/runner/task.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { type ApiProxy, startApiProxy } from '../support/api-proxy.ts';
import { aBackup, aStore, condition, SETTINGS } from '../support/builders.ts';
import { chartAccount } from '../support/kube-account.ts';
import { createReady, installKinds } from '../support/kube-crds.ts';
import { playJob } from '../support/kube-kubelet.ts';
import { type TestOperator, testOperator } from '../support/kube-operator.ts';
import { ScalingScene } from '../support/kube-scaling-scene.ts';

jest.setTimeout(60_000);

let server: ApiServer;
let proxy: ApiProxy;
let http: Http;
let operator: TestOperator;
let scene: ScalingScene;

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  proxy = await startApiProxy(server.kubeconfig);
  http = new Http(proxy.credentials);
  scene = new ScalingScene(server.kubeconfig, http);
  await scene.open();
  const user = await chartAccount(server.kubeconfig, 'holdfast');
  const confined = { namespaces: ['shop'], user };
  operator = testOperator(proxy, [restoreController as AnyController], undefined, confined);
  await operator.start();
}, 120_000);

afterAll(async () => {
  await operator?.stop();
  await scene?.close();
  http?.close();
  await proxy?.stop();
  await server?.stop();
});

const digestOf = (name: string) => `sha256:${Buffer.from(name.padEnd(32, '-')).toString('hex')}`;

/** A Backup of a schedule, with a database of its own so that no restore waits for another; at work without a time. */
async function backup(schedule: string, name: string, dataTime?: string): Promise<void> {
  const { spec, ...rest } = aBackup({
    metadata: { name, labels: { 'holdfast.dev/schedule': schedule } },
    status: {
      ...(dataTime === undefined
        ? { phase: 'Running' as const }
        : {
            dataTime,
            location: `s3://acme/prod/v1/test/shop/${schedule}/${name}/`,
            manifestDigest: digestOf(name),
            conditions: [condition('Complete', 'True')],
          }),
    },
  });
  const source = { postgresql: { ...spec.source.postgresql, database: schedule } };
  await createReady(server.kubeconfig, { ...rest, spec: { ...spec, source } } as Backup, 'shop');
}

function restore(name: string, spec: object): Promise<string> {
  return scene.create({ apiVersion: 'holdfast.dev/v1alpha1', kind: 'Restore', metadata: { name }, spec });
}

async function jobOf(name: string, purpose: string): Promise<Job> {
  await scene.job(name, purpose);
  return (await scene.jobs()).find(
    ({ metadata }) => metadata.ownerReferences?.[0]?.name === name && metadata.labels?.[LABELS.command] === purpose,
  )!;
}

function taskOf(job: Job) {
  const { metadata } = job.spec['template'] as { metadata: { annotations: Record<string, string> } };
  return parseTask(metadata.annotations['holdfast.dev/task'] ?? '');
}

test('the latest of a schedule is chosen once, though a newer one completes and the chosen one is deleted', async () => {
  await backup('nightly', 'monday', '2026-11-23T00:00:00Z');
  await backup('nightly', 'tuesday', '2026-11-24T00:00:00Z');
  await backup('nightly', 'wednesday');
  scene.held.add('latest-plan');
  await restore('latest', { from: { latest: { scheduleRef: { name: 'nightly' } } } });
  const plan = await jobOf('latest', 'plan');
  const { resolved } = (await scene.status('latest')) ?? {};
  expect(resolved).toMatchObject({ backup: 'tuesday', digest: digestOf('tuesday'), time: '2026-11-24T00:00:00Z' });

  await backup('nightly', 'thursday', '2026-11-26T00:00:00Z');
  await scene.kubectl(['delete', 'backup', 'tuesday']);
  scene.held.delete('latest-plan');
  const load = taskOf(await jobOf('latest', 'load'));
  expect(load).toMatchObject({ command: 'load', archive: { manifestDigest: digestOf('tuesday') } });
  const { command: _, ...told } = taskOf(plan) as { command: string; database: object };
  expect(load).toMatchObject({ database: told.database });
  expect(await scene.over('latest')).toMatchObject({ phase: 'Complete', resolved });
});

test('a time is kept to, and the first backup is waited for', async () => {
  await backup('hourly', 'ten', '2026-11-24T10:00:00Z');
  await backup('hourly', 'eleven', '2026-11-24T11:00:00Z');
  const before = '2026-11-24T11:59:59.5+01:00';
  await restore('before', { from: { latest: { scheduleRef: { name: 'hourly' }, before } } });
  expect(await scene.over('before')).toMatchObject({ phase: 'Complete', resolved: { backup: 'ten' } });

  await backup('weekly', 'first');
  await restore('first', { from: { latest: { scheduleRef: { name: 'weekly' } } } });
  await scene.until('first waits', async () => (await scene.status('first'))?.failure?.reason === 'BackupNotComplete');
  const status = {
    dataTime: '2026-11-24T12:00:00Z',
    location: 's3://acme/prod/v1/x/',
    manifestDigest: digestOf('first'),
  };
  const complete = { ...status, conditions: [condition('Complete', 'True')] };
  const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status: complete })];
  await scene.kubectl(['patch', 'backup', 'first', ...patch]);
  expect(await scene.over('first')).toMatchObject({ phase: 'Complete', resolved: { backup: 'first' } });
});

/** A Job of retention that was told to remove the archive of this Backup before anybody knew of a restore. */
async function retention(schedule: string, name: string): Promise<Job> {
  const task: PruneTask = {
    command: 'prune',
    store: storeAccessOf(aStore()),
    cluster: 'test',
    namespace: 'shop',
    archives: [
      {
        folder: `prod/v1/test/shop/${schedule}/${name}/`,
        manifestDigest: digestOf(name),
        backupUid: await scene.field(`backup/${name}`, '{.metadata.uid}'),
      },
    ],
  };
  const job = runnerJob({
    owner: { kind: 'BackupSchedule', name: schedule, namespace: 'shop', uid: `uid-of-${name}` },
    purpose: 'prune',
    attempt: 1,
    task,
    secrets: {},
    settings: SETTINGS.runner,
    activeDeadlineSeconds: 3_600,
  });
  return scene.cluster.create<Job>(job);
}

test('an archive that retention is removing is waited for, and restored where the store keeps it', async () => {
  await backup('yearly', 'locked', '2026-01-01T00:00:00Z');
  const job = await retention('yearly', 'locked');
  await restore('of-locked', { from: { backupRef: { name: 'locked' } } });
  await scene.until('it waits', async () => (await scene.status('of-locked'))?.failure?.reason === 'ArchiveRemoved');
  expect((await scene.status('of-locked'))?.resolved).toBeUndefined();
  const failure = { reason: 'ObjectLocked', message: 'the object is locked' };
  await playJob(server.kubeconfig, job, { command: 'prune', ok: true, result: { removed: [], failure } });
  expect(await scene.over('of-locked')).toMatchObject({ phase: 'Complete', resolved: { backup: 'locked' } });
});

test('an archive that retention began to remove in the instant of the pin ends the restore before the app is touched', async () => {
  await backup('daily', 'leaving', '2026-11-01T00:00:00Z');
  scene.held.add('of-leaving-plan');
  const workloads = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'of-leaving' }];
  const labels = { app: 'of-leaving' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'none' }] } };
  const spec = { replicas: 3, selector: { matchLabels: labels }, template };
  await scene.create({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'of-leaving' }, spec });
  await restore('of-leaving', { from: { backupRef: { name: 'leaving' } }, scaleDown: { workloads } });
  await jobOf('of-leaving', 'plan');
  const job = await retention('daily', 'leaving');
  await playJob(server.kubeconfig, job, { command: 'prune', ok: true, result: { removed: [0] } });
  scene.held.delete('of-leaving-plan');
  const status = await scene.over('of-leaving');
  expect(status).toMatchObject({ phase: 'Failed', failure: { reason: 'ArchiveRemoved' } });
  expect(status?.scaledWorkloads).toBeUndefined();
  expect(await scene.lease(workloads[0]!)).toBeUndefined();
  expect(await scene.field('deployment/of-leaving', '{.metadata.generation} {.spec.replicas}')).toBe('1 3');
});

test('nothing to restore is a failure at once, and says what there is', async () => {
  await backup('monthly', 'june', '2026-06-01T00:00:00Z');
  const latest = { scheduleRef: { name: 'monthly' }, before: '2026-05-31T00:00:00Z' };
  await restore('too-early', { from: { latest } });
  expect(await scene.over('too-early')).toMatchObject({
    phase: 'Failed',
    failure: { reason: 'NothingToRestore', message: expect.stringContaining('june (of 2026-06-01T00:00:00Z)') },
  });
  expect((await scene.jobs()).filter(({ metadata }) => metadata.ownerReferences?.[0]?.name === 'too-early')).toEqual(
    [],
  );
});

test('an archive without a Backup is read, pinned and restored where the Restore says; one of somebody else is not', async () => {
  const path = 'prod/v1/test/shop/gone/20261124T000000Z-1a2b3c4d/';
  const found = (namespace: string): Report => ({
    command: 'catalog',
    ok: true,
    result: {
      manifestDigest: digestOf(namespace),
      cluster: 'test',
      namespace,
      backup: { name: 'gone', uid: 'u' },
      dataTime: '2026-11-24T00:00:00.000Z',
      server: { engine: 'postgresql', version: '17.6' },
      scope: 'Database',
      verification: { level: 'ReadBack', time: '2026-11-24T00:01:00.000Z' },
      database: 'orders',
    },
  });
  const spec = {
    from: { archive: { storeRef: { name: 'cellar' }, path: `s3://acme/${path}` } },
    target: { postgresql: { host: 'pg.new.svc', credentials: { secretRef: { name: 'new' } } } },
  };
  await restore('by-path', spec);
  const catalog = await jobOf('by-path', 'catalog');
  expect(taskOf(catalog)).toMatchObject({ command: 'catalog', folder: path });
  await playJob(server.kubeconfig, catalog, found('shop'));
  const load = taskOf(await jobOf('by-path', 'load'));
  expect(load).toMatchObject({
    archive: { folder: path, manifestDigest: digestOf('shop'), cluster: 'test', namespace: 'shop' },
    database: { host: 'pg.new.svc', database: 'orders', credentials: { secret: 'new' } },
  });
  expect(await scene.over('by-path')).toMatchObject({
    phase: 'Complete',
    resolved: { path, cluster: 'test', namespace: 'shop', time: '2026-11-24T00:00:00Z' },
  });

  await restore('of-a-bank', spec);
  await playJob(server.kubeconfig, await jobOf('of-a-bank', 'catalog'), found('bank'));
  expect(await scene.over('of-a-bank')).toMatchObject({ phase: 'Failed', failure: { reason: 'Foreign' } });

  await restore('taken-on', { ...spec, force: ['Foreign'] });
  await playJob(server.kubeconfig, await jobOf('taken-on', 'catalog'), found('bank'));
  expect(taskOf(await jobOf('taken-on', 'load'))).toMatchObject({ archive: { cluster: 'test', namespace: 'bank' } });
  expect(await scene.over('taken-on')).toMatchObject({ phase: 'Complete', resolved: { namespace: 'bank' } });
});

test('an undo goes where its restore went, with Backup and Jobs gone, and nothing is dropped under it', async () => {
  await backup('undone', 'kept', '2026-11-24T00:00:00Z');
  const swapped = (previousDatabase: string): Report => ({ command: 'swap', ok: true, result: { previousDatabase } });
  for (const job of ['upgrade-swap', 'back-plan', 'back-swap']) scene.held.add(job);
  await restore('upgrade', { from: { backupRef: { name: 'kept' } }, onConflict: 'Fail', keepPrevious: '24h' });
  await playJob(server.kubeconfig, await jobOf('upgrade', 'swap'), swapped('undone_before_1'));
  expect(await scene.over('upgrade')).toMatchObject({ previousDatabase: 'undone_before_1' });
  await scene.kubectl(['delete', 'backup', 'kept']);
  await scene.kubectl([
    'delete',
    'jobs',
    '-l',
    `${LABELS.owner}=${await scene.field('restore/upgrade', '{.metadata.uid}')}`,
  ]);

  await restore('back', { from: { previousOf: { restoreRef: { name: 'upgrade' } } } });
  expect(taskOf(await jobOf('back', 'plan'))).toMatchObject({
    database: { host: 'pg.shop.svc', database: 'undone', credentials: { secret: 'pg' } },
    undone: { name: 'upgrade', databases: ['undone_before_1'] },
  });
  await scene.kubectl(['patch', 'restore', 'upgrade', '--type=merge', '-p', '{"spec":{"keepPrevious":"0s"}}']);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  scene.held.delete('back-plan');
  await playJob(server.kubeconfig, await jobOf('back', 'swap'), swapped('undone_before_2'));
  expect(await scene.over('back')).toMatchObject({ phase: 'Complete', previousDatabase: 'undone_before_2' });
  await scene.until(
    'nothing is kept any more',
    async () => (await scene.status('upgrade'))?.previousDatabase === undefined,
  );
  expect((await scene.jobs()).filter(({ metadata }) => metadata.labels?.[LABELS.command] === 'expire')).toEqual([]);
});
