/** Schedules on a real API server: what they make, in a time of the test's own. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import type { BackupSchedule, BackupScheduleSpec } from '../../src/api/backup-schedule.ts';
import type { Job } from '../../src/api/kubernetes.ts';
import type { Restore } from '../../src/api/restore.ts';
import { backupController } from '../../src/controllers/backup/observe.ts';
import { backupScheduleController } from '../../src/controllers/backup-schedule/observe.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import { Http } from '../../src/kube/http.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { now } from '../../src/platform/clock.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { type ApiProxy, startApiProxy } from '../support/api-proxy.ts';
import { aBackup, aCompleteBackup, aKey, aRestore, aStore, BACKED_UP, condition } from '../support/builders.ts';
import { createReady, installKinds, kubectl } from '../support/kube-crds.ts';
import { playJob } from '../support/kube-kubelet.ts';
import { type TestOperator, testOperator } from '../support/kube-operator.ts';
import { until } from '../support/kube-until.ts';

jest.setTimeout(60_000);

let server: ApiServer;
let proxy: ApiProxy;
let http: Http;
let people: KubeCluster;
let operator: TestOperator | undefined;
/** How far the operator's clock is ahead, in seconds. */
let ahead = 0;
let namespace = '';
let count = 0;

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  proxy = await startApiProxy(server.kubeconfig);
  http = new Http(proxy.credentials);
  people = new KubeCluster(http);
}, 120_000);

afterAll(async () => {
  http?.close();
  await proxy?.stop();
  await server?.stop();
});

beforeEach(async () => {
  count += 1;
  namespace = `schedules-${count}`;
  ahead = 0;
  await kubectl(server.kubeconfig, ['create', 'namespace', namespace]);
  await createReady(server.kubeconfig, aStore(), namespace);
  await createReady(server.kubeconfig, aKey(), namespace);
});

afterEach(async () => {
  await operator?.stop();
  operator = undefined;
});

async function newSchedule(name: string, spec: Partial<BackupScheduleSpec> = {}): Promise<BackupSchedule> {
  return people.create<BackupSchedule>({
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'BackupSchedule',
    metadata: { name, namespace },
    ...{ spec: { schedule: '* * * * *', template: { spec: backupSpec() }, ...spec } },
  });
}

/** Each test has a database of its own: a lock outlives the test that took it. */
function backupSpec(): Backup['spec'] {
  const { source, ...rest } = aBackup().spec;
  return { ...rest, source: { postgresql: { ...source.postgresql, database: `orders-${count}` } } };
}

async function begin(): Promise<void> {
  const controllers = [backupScheduleController, backupController] as AnyController[];
  operator = testOperator(proxy, controllers, () => new Date(now().getTime() + ahead * 1000));
  await operator.start();
}

const backups = () => people.list<Backup>(KIND.backup, { namespace });
const jobs = () => people.list<Job>(KIND.job, { namespace });
const phaseOf = async (name: string) => (await backups()).find(({ metadata }) => metadata.name === name)?.status?.phase;
/** Long enough for a wrong second Backup to be made. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 1_000));

test('an operator that was down across five slots makes one Backup, of the last', async () => {
  await newSchedule('nightly');
  ahead = 330;
  await begin();
  await until(async () => (await backups()).length > 0, 'no Backup was made');
  await settle();
  expect(await backups()).toHaveLength(1);
});

test('two schedules of one database: one works, the other waits and says for whom, and follows', async () => {
  // One run each, whatever minute it is: a next slot of the first would compete for the database.
  const once = { schedule: '0 0 29 2 *', runOnCreate: true };
  await newSchedule('first', once);
  await newSchedule('second', once);
  await begin();
  await until(
    async () => (await backups()).length === 2 && (await jobs()).length === 1,
    'there are not two Backups and one Job',
  );
  const [job] = await jobs();
  const running = job!.metadata.ownerReferences![0]!.name;
  // Two that saw the lock free at once: the slower one says so at its next look.
  await until(
    async () => (await backups()).every(({ status }) => status?.phase !== undefined),
    'one of the two says nothing',
  );
  const waiting = (await backups()).find(({ metadata }) => metadata.name !== running)!;
  expect(waiting.status).toMatchObject({ phase: 'Pending', failure: { reason: 'DatabaseBusy' } });
  expect(waiting.status?.failure?.message).toContain(`Backup ${namespace}/${running}`);
  await playJob(server.kubeconfig, job!, BACKED_UP);
  await until(async () => (await phaseOf(running)) === 'Complete', `${running} is not Complete`);
  await until(
    async () => (await phaseOf(waiting.metadata.name)) === 'Running',
    `${waiting.metadata.name} does not follow`,
  );
});

test('a schedule whose run failed says so, and its next run comes', async () => {
  await newSchedule('nightly');
  ahead = 90;
  await begin();
  await until(async () => (await jobs()).length === 1, 'no Job was made');
  const failure = { reason: 'DumpFailed', message: 'pg_dump: error' };
  await playJob(server.kubeconfig, (await jobs())[0]!, { command: 'backup', ok: false, retry: false, failure });
  const schedule = () => people.get(KIND.backupSchedule, { namespace, name: 'nightly' });
  await until(async () => (await schedule())?.status?.consecutiveFailures === 1, 'the failure is not counted');
  ahead += 60;
  await kubectl(server.kubeconfig, ['annotate', 'backupschedule', 'nightly', '-n', namespace, 'look=again']);
  await until(async () => (await backups()).length >= 2, 'the next run does not come');
});

test('deleting a schedule keeps its Backups', async () => {
  await newSchedule('nightly', { runOnCreate: true });
  await begin();
  await until(async () => (await backups()).length === 1, 'no Backup was made');
  await kubectl(server.kubeconfig, ['delete', 'backupschedule', 'nightly', '-n', namespace]);
  await settle();
  expect((await backups())[0]?.metadata.ownerReferences).toBeUndefined();
});

test('a drill that is due is one Restore of the newest backup, however often the operator begins anew, and goes with the schedule', async () => {
  // Due in a minute or two, however long the test takes to begin.
  const minute = (new Date().getUTCMinutes() + 2) % 60;
  const made = await newSchedule('nightly', { schedule: '0 0 29 2 *', drill: { schedule: `${minute} * * * *` } });
  const labels = { 'holdfast.dev/schedule': 'nightly' };
  const complete = aCompleteBackup();
  const backup: Backup = { ...complete, metadata: { ...complete.metadata, labels } };
  await createReady(server.kubeconfig, backup, namespace);
  const schedule = () => people.get(KIND.backupSchedule, { namespace, name: 'nightly' });
  const restores = () => people.list<Restore>(KIND.restore, { namespace });
  await begin();
  await until(async () => (await schedule())?.status?.nextDrillTime !== undefined, 'drills are not planned');
  await settle();
  expect(await restores()).toEqual([]);
  ahead = 121;
  for (let times = 0; times < 2; times += 1) {
    await operator?.stop();
    await begin();
    await until(async () => (await restores()).length > 0, 'no Restore was made');
    await settle();
  }
  const [restore, ...others] = await restores();
  expect(others).toEqual([]);
  expect(restore).toMatchObject({
    metadata: { ownerReferences: [{ kind: 'BackupSchedule', uid: made.metadata.uid }] },
    spec: { from: { backupRef: { name: backup.metadata.name } }, target: { ephemeral: {} } },
  });
});

test('retention leaves the archive that a restore has pinned until the restore is over, then removes it', async () => {
  const labels = { 'holdfast.dev/schedule': 'nightly' };
  const { status, ...rest } = aCompleteBackup();
  const verification = { level: 'ReadBack', time: '2026-11-24T12:01:00Z' };
  const folder = (name: string) => `prod/v1/test/${namespace}/nightly/20261124T120000Z-${name}/`;
  for (const name of ['11111111', '22222222']) {
    const place = { location: `s3://acme/${folder(name)}`, manifestDigest: `sha256:${name.repeat(8)}` };
    const backup = {
      ...rest,
      metadata: { ...rest.metadata, name: `b-${name}`, labels },
      status: { ...status, ...place, verification },
    };
    await createReady(server.kubeconfig, backup as Backup, namespace);
    // Which one is older is told by the second.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
  }
  const pinned = aRestore({ spec: { from: { backupRef: { name: 'of-before' } } } });
  const resolved = { path: folder('11111111'), digest: 'sha256:1', time: '2026-11-24T12:00:00Z' };
  await createReady(server.kubeconfig, { ...pinned, status: { phase: 'Loading', resolved } }, namespace);
  await newSchedule('nightly', { schedule: '0 0 29 2 *', retention: { keepLast: 1 } });
  await begin();
  const schedule = () => people.get(KIND.backupSchedule, { namespace, name: 'nightly' });
  await until(async () => (await schedule())?.status?.keptBackups === 2, 'the Backups are not counted');
  await settle();
  expect(await jobs()).toEqual([]);

  const over = { status: { conditions: [condition('Complete', 'True')] } };
  const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify(over)];
  await kubectl(server.kubeconfig, ['patch', 'restore', pinned.metadata.name, '-n', namespace, ...patch]);
  let looks = 0;
  await until(async () => {
    // At the first look the operator may not have heard of the end yet.
    looks += 1;
    const again = ['annotate', 'backupschedule', 'nightly', '-n', namespace, '--overwrite', `look=${looks}`];
    await kubectl(server.kubeconfig, again);
    return (await jobs()).length === 1;
  }, 'retention does not begin');
  const [job] = await jobs();
  const { metadata } = job!.spec['template'] as { metadata: { annotations: Record<string, string> } };
  expect(JSON.parse(metadata.annotations['holdfast.dev/task'] ?? '')).toMatchObject({
    command: 'prune',
    archives: [{ folder: folder('11111111') }],
  });
});
