/** What the operator's account may do, asked of a real API server on which Helm installed the chart. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { CommandFailed, run } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { waitFor } from '../cluster/wait.ts';
import { CHART } from '../unit/chart/render.ts';

const OPERATOR = 'system:serviceaccount:holdfast-system:holdfast';
const REFUSED = 'may write only Leases named holdfast-*';

let server: ApiServer;

function kubectl(args: readonly string[], input?: string): Promise<string> {
  return program('kubectl').then((path) =>
    run(path, ['--kubeconfig', server.kubeconfig, ...args], input === undefined ? {} : { input }),
  );
}

const asOperator = (args: readonly string[], input?: string) => kubectl([...args, `--as=${OPERATOR}`], input);

const lease = (name: string, namespace: string, holderIdentity = 'somebody') =>
  stringify({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace },
    spec: { holderIdentity },
  });

beforeAll(async () => {
  server = await upApiServer();
  // Nothing runs a hook's Job here.
  await run(await program('helm'), [
    ...['install', 'holdfast', CHART, '--no-hooks', '--kubeconfig', server.kubeconfig],
    ...['--namespace', 'holdfast-system', '--create-namespace', '--set', 'clusterName=rights'],
  ]);
  await kubectl(['create', 'namespace', 'shop']);
  // The API server takes a moment to compile a policy; until then nothing is refused.
  await waitFor(() => asOperator(['create', '-f', '-'], lease('probe', 'default')).then(() => false, isRefusal), {
    timeoutMs: 30_000,
    everyMs: 200,
    otherwise: () => 'the ValidatingAdmissionPolicy never came into force',
  });
}, 180_000);

afterAll(() => server?.stop());

/** False also for the lease of an attempt that went through before the policy was there. */
function isRefusal(error: unknown): boolean {
  return error instanceof CommandFailed && error.stderr.includes(REFUSED);
}

describe('Leases, which the operator may write in every namespace', () => {
  test.each(['holdfast-system', 'shop'])(
    'it makes, changes and deletes one named holdfast-* in %s',
    async (namespace) => {
      await asOperator(['create', '-f', '-'], lease('holdfast-x', namespace, 'first'));
      await asOperator(['replace', '-f', '-'], lease('holdfast-x', namespace, 'second'));
      const holder = ['get', 'lease', 'holdfast-x', '-n', namespace, '-o', 'jsonpath={.spec.holderIdentity}'];
      expect(await asOperator(holder)).toBe('second');
      await asOperator(['delete', 'lease', 'holdfast-x', '-n', namespace]);
    },
  );

  test('any other it may neither make nor change nor delete, even where somebody else made it', async () => {
    await expect(asOperator(['create', '-f', '-'], lease('other', 'shop'))).rejects.toThrow(REFUSED);
    await kubectl(['create', '-f', '-'], lease('other', 'shop', 'its-owner'));
    await expect(asOperator(['replace', '-f', '-'], lease('other', 'shop', 'thief'))).rejects.toThrow(REFUSED);
    await expect(asOperator(['delete', 'lease', 'other', '-n', 'shop'])).rejects.toThrow(REFUSED);
    const holder = ['get', 'lease', 'other', '-n', 'shop', '-o', 'jsonpath={.spec.holderIdentity}'];
    expect(await kubectl(holder)).toBe('its-owner');
  });

  test('leaving the name to the API server is no way around that', async () => {
    const generated = lease('x', 'shop').replace('name: x', 'generateName: other-');
    await expect(asOperator(['create', '-f', '-'], generated)).rejects.toThrow(REFUSED);
  });

  test('the policy is in nobody else’s way', async () => {
    await kubectl(['create', '-f', '-', '--as=somebody', '--as-group=system:masters'], lease('theirs', 'shop'));
  });
});

describe('what the operator may not do', () => {
  test.each([
    ['read a Secret', ['get', 'secrets']],
    ['list Secrets', ['list', 'secrets']],
    ['read a ConfigMap', ['get', 'configmaps']],
    ['make a Pod', ['create', 'pods']],
    ['run something in a Pod', ['create', 'pods/exec']],
    ['read the log of a Pod', ['get', 'pods/log']],
    ['get a token', ['create', 'serviceaccounts/token']],
    ['change a Deployment', ['patch', 'deployments.apps']],
    ['delete a Deployment', ['delete', 'deployments.apps']],
    ['list Deployments', ['list', 'deployments.apps']],
    ['change a Job that runs', ['patch', 'jobs.batch']],
    ['change the spec of a Restore', ['update', 'restores.holdfast.dev']],
    ['change the spec of a Backup', ['update', 'backups.holdfast.dev']],
    ['change its own rights', ['update', 'clusterroles.rbac.authorization.k8s.io']],
    ['act as somebody else', ['impersonate', 'users']],
  ])('it may not %s', async (_what, [verb = '', resource = '']) => {
    expect(await may(verb, resource)).toBe(false);
  });

  test('and the question is asked right: what it does need, it may', async () => {
    expect(await may('create', 'jobs.batch')).toBe(true);
    expect(await may('patch', 'restores.holdfast.dev/status')).toBe(true);
    expect(await may('get', 'deployments.apps/scale')).toBe(true);
  });
});

/** `kubectl auth can-i` ends with 1 for no. */
function may(verb: string, resource: string): Promise<boolean> {
  const [name = '', subresource] = resource.split('/');
  const about = subresource === undefined ? [] : [`--subresource=${subresource}`];
  return asOperator(['auth', 'can-i', verb, name, ...about, '--namespace', 'shop']).then(
    (answer) => answer.trim() === 'yes',
    (error: unknown) => {
      if (error instanceof CommandFailed && error.message.includes('ended with 1')) return false;
      throw error;
    },
  );
}
