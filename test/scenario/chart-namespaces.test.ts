/** The chart for some namespaces, installed by Helm on a real API server, by somebody who has no right on the cluster. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { CommandFailed, run } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { installKinds, kubectl } from '../support/kube-crds.ts';
import { CHART } from '../unit/chart/render.ts';

jest.setTimeout(60_000);

const GUIDE = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'chart.md'), 'utf8');
/** The ClusterRole of the guide; its label makes it a part of `admin` only where there is a controller manager. */
const ADMIN_ROLE = /```yaml\n(# Part of `admin`[\s\S]*?)```/.exec(GUIDE)?.[1] ?? '';

let server: ApiServer;
const asked = (args: readonly string[], input?: string) => kubectl(server.kubeconfig, args, input);

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  for (const namespace of ['backups', 'shop', 'billing', 'elsewhere']) await asked(['create', 'namespace', namespace]);
  await asked(['create', '-f', '-'], ADMIN_ROLE);
}, 120_000);

afterAll(() => server?.stop());

/** As a RoleBinding to `admin` does in a cluster. */
async function administers(user: string, namespaces: readonly string[]): Promise<void> {
  const parts = ['system:aggregate-to-view', 'system:aggregate-to-edit', 'system:aggregate-to-admin', 'holdfast-admin'];
  for (const namespace of namespaces) {
    for (const [index, role] of parts.entries()) {
      await asked([
        'create',
        'rolebinding',
        `${user}-${index}`,
        `--clusterrole=${role}`,
        `--user=${user}`,
        '-n',
        namespace,
      ]);
    }
  }
}

interface Install {
  /** Absent: who may do everything, so that what is refused is refused by Helm. */
  readonly user?: string;
  readonly release?: string;
  readonly home: string;
  readonly namespaces: readonly string[];
}

async function install({ user, release = 'holdfast', home, namespaces }: Install): Promise<string> {
  const values = `clusterName=north,watchNamespaces={${namespaces.join(',')}},clusterObjects=false`;
  return run(await program('helm'), [
    ...['install', release, CHART, '--namespace', home, '--skip-crds', '--set', values],
    ...['--kubeconfig', server.kubeconfig, ...(user === undefined ? [] : ['--kube-as-user', user])],
  ]);
}

/** `kubectl auth can-i` ends with 1 for no. */
async function may(account: string, verb: string, resource: string, namespace: string): Promise<boolean> {
  const [name = '', subresource] = resource.split('/');
  const about = subresource === undefined ? [] : [`--subresource=${subresource}`];
  try {
    const args = ['auth', 'can-i', verb, name, ...about, '-n', namespace, `--as=system:serviceaccount:${account}`];
    return (await asked(args)).trim() === 'yes';
  } catch (error) {
    if (error instanceof CommandFailed && error.message.includes('ended with 1')) return false;
    throw error;
  }
}

test('who administers two namespaces installs it there, with the ClusterRole of the guide and nothing more', async () => {
  await administers('tenant', ['backups', 'shop']);
  await install({ user: 'tenant', home: 'backups', namespaces: ['shop'] });
  const operator = 'backups:holdfast';
  expect(await may(operator, 'create', 'jobs.batch', 'shop')).toBe(true);
  expect(await may(operator, 'patch', 'backups.holdfast.dev/status', 'shop')).toBe(true);
  expect(await may(operator, 'update', 'leases.coordination.k8s.io', 'backups')).toBe(true);
  for (const namespace of ['backups', 'billing', 'kube-system']) {
    expect(await may(operator, 'list', 'backups.holdfast.dev', namespace)).toBe(false);
    expect(await may(operator, 'create', 'jobs.batch', namespace)).toBe(false);
  }
  expect(await may(operator, 'update', 'leases.coordination.k8s.io', 'kube-system')).toBe(false);
  expect(await may(operator, 'get', 'secrets', 'shop')).toBe(false);
});

test('a second release is refused for a namespace that has an operator, whatever its own name and place', async () => {
  const second = { release: 'second', home: 'elsewhere', namespaces: ['billing', 'shop'] };
  await expect(install(second)).rejects.toThrow(/Role "holdfast-operator" in namespace "shop" exists/);
});

test('and it is refused in the namespace that an operator runs in, since the two would share a leader', async () => {
  const second = { release: 'third', home: 'backups', namespaces: ['billing'] };
  await expect(install(second)).rejects.toThrow(/Role "holdfast-operator-leases" in namespace "backups" exists/);
});

test('with namespaces and a place of its own it may even have the same name', async () => {
  await administers('neighbour', ['elsewhere', 'billing']);
  await install({ user: 'neighbour', home: 'elsewhere', namespaces: ['billing'] });
  expect(await may('elsewhere:holdfast', 'create', 'jobs.batch', 'billing')).toBe(true);
  expect(await may('elsewhere:holdfast', 'create', 'jobs.batch', 'shop')).toBe(false);
});
