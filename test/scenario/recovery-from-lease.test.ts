/** The page for 3 a.m.: an app at zero comes back by the lines of the page alone, with no operator and none of our kinds. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Lease } from '../../src/api/kubernetes.ts';
import { recoveryLine, rememberedCount } from '../../src/api/recovery.ts';
import type { Workload } from '../../src/api/restore.ts';
import { CRON_JOBS, type ScalableKind, scalableKindOf } from '../../src/api/workloads.ts';
import { databaseLock, type Holder, scaleLease } from '../../src/controllers/leases.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { program } from '../cluster/programs.ts';
import { kubectl } from '../support/kube-crds.ts';

const call = promisify(execFile);

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'three-in-the-morning.md');
const HOLDER: Holder = { kind: 'Restore', metadata: { namespace: 'shop', name: 'half-way', uid: 'u1' } };

let server: ApiServer;

beforeAll(async () => {
  server = await upApiServer();
  await kubectl(server.kubeconfig, ['create', 'namespace', 'shop']);
}, 120_000);

afterAll(() => server?.stop());

/** The commands of the section, in order. */
async function commandsOf(section: string): Promise<string[]> {
  const text = await readFile(PAGE, 'utf8');
  const [, body = ''] = text.split(new RegExp(`^## .*${section}.*$`, 'm'));
  const [own = ''] = body.split(/^## /m);
  return [...own.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, command = '']) => command);
}

/** As a person types it. */
async function typed(command: string): Promise<string> {
  const PATH = [dirname(await program('kubectl')), process.env['PATH']].join(delimiter);
  const { stdout } = await call('sh', ['-c', command], {
    env: { PATH, HOME: server.dir, KUBECONFIG: server.kubeconfig },
  });
  return stdout;
}

const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'x', image: 'x' }] } };
const selector = { matchLabels: { app: 'x' } };

async function create(...objects: readonly object[]): Promise<void> {
  for (const object of objects)
    await kubectl(server.kubeconfig, ['create', '-n', 'shop', '-f', '-'], JSON.stringify(object));
}

/** At zero, with the count that it had in its Lease. */
async function asleep(
  workload: Workload,
  count: number,
  spec: object,
  resource: ScalableKind = scalableKindOf(workload, [])!,
): Promise<void> {
  const { apiVersion, kind, name } = workload;
  await create({ apiVersion, kind, metadata: { name }, spec }, scaleLease(workload, resource, count, HOLDER));
}

test('the lines of the page bring Deployments, StatefulSets and CronJobs back to what they were', async () => {
  await asleep({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, 3, { replicas: 0, selector, template });
  const data = { replicas: 0, selector, template, serviceName: 'data' };
  await asleep({ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'data' }, 2, data);
  const jobTemplate = { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } };
  const report = { suspend: true, schedule: '0 0 * * *', jobTemplate };
  await asleep({ apiVersion: 'batch/v1', kind: 'CronJob', name: 'report' }, 1, report, CRON_JOBS);
  // Leases that say nothing of a workload.
  const lock = databaseLock(
    'shop',
    { host: 'pg', port: 5432, database: 'shop', maintenanceDatabase: 'postgres' },
    HOLDER,
  );
  await create(lock, { ...lock, metadata: { name: 'other' } });

  const [endRunners = '', tell = ''] = await commandsOf('The app is at zero');
  expect(endRunners).toContain('kubectl delete jobs');
  await typed(endRunners);
  expect((await typed(tell)).trim().split('\n')).toHaveLength(3);
  await typed(`${tell.trim()} | sh`);

  await expectAwake();
});

test('so do the lines of doctor and of the hook of an uninstall, each for one of them, and their Leases go', async () => {
  await typed('kubectl scale -n shop deployment/web statefulset/data --replicas=0');
  await typed('kubectl patch -n shop cronjob/report --patch \'{"spec":{"suspend":true}}\'');
  const found = await kubectl(server.kubeconfig, ['get', 'leases', '-n', 'shop', '-o', 'json']);
  const taken = (JSON.parse(found) as { items: Lease[] }).items.filter(({ metadata }) =>
    metadata.name.startsWith('holdfast-scale-'),
  );
  expect(taken).toHaveLength(3);
  for (const { metadata } of taken) {
    const { annotations = {}, name: lease } = metadata;
    const workload = annotations['holdfast.dev/workload'] ?? '';
    await typed(recoveryLine({ namespace: 'shop', workload, replicas: rememberedCount(annotations), lease, jobs: [] }));
  }
  await expectAwake();
  const left = await kubectl(server.kubeconfig, ['get', 'leases', '-n', 'shop', '-o', 'name']);
  expect(left).not.toContain('holdfast-scale-');
});

async function expectAwake(): Promise<void> {
  const field = (what: string, path: string) =>
    kubectl(server.kubeconfig, ['get', '-n', 'shop', what, '-o', `jsonpath=${path}`]);
  expect(await field('deployment/web', '{.spec.replicas}')).toBe('3');
  expect(await field('statefulset/data', '{.spec.replicas}')).toBe('2');
  expect(await field('cronjob/report', '{.spec.suspend}')).toBe('false');
}
