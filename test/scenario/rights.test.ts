/** The table of rights against a real API server: enough for everything that the operator does, and not one verb more. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import type { Job, KubeObject, Lease, NewJob } from '../../src/api/kubernetes.ts';
import { LABELS } from '../../src/api/names.ts';
import type { Restore } from '../../src/api/restore.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import type { Version } from '../../src/kube/cluster.ts';
import { isForbidden } from '../../src/kube/errors.ts';
import { Http } from '../../src/kube/http.ts';
import { KIND, type KindRef } from '../../src/kube/kinds.ts';
import { LeaderElection } from '../../src/kube/leader.ts';
import { HOME_RIGHTS, RIGHTS, type Right } from '../../src/kube/rights.ts';
import { type OnlyNamespaces, Watches } from '../../src/kube/watches.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { waitFor } from '../cluster/wait.ts';
import { type ApiProxy, type Asked, speakingFor, startApiProxy } from '../support/api-proxy.ts';
import { installKinds, kubectl } from '../support/kube-crds.ts';

let server: ApiServer;
let proxy: ApiProxy;
let http: Http;
let cluster: KubeCluster;
/** The same account's counterpart that has its rights in one namespace, and the Leases in its own. */
let confined: Http;

/** The account of this name, as the API server knows it. */
function as(user: string): Http {
  return new Http({ ...proxy.credentials, access: speakingFor(user) });
}

async function grant(user: string, rights: readonly Right[], namespace?: string): Promise<void> {
  const rules = rights.map(({ group, resource, verbs }) => ({ apiGroups: [group], resources: [resource], verbs }));
  const kind = namespace === undefined ? 'ClusterRole' : 'Role';
  const metadata = { name: user, ...(namespace === undefined ? {} : { namespace }) };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  await ofPeople({ apiVersion, kind, metadata, rules });
  const subjects = [{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name: user };
  await ofPeople({ apiVersion, kind: `${kind}Binding`, metadata, subjects, roleRef });
}

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  await kubectl(server.kubeconfig, ['create', 'namespace', 'shop']);
  await grant('operator', RIGHTS);
  await grant('confined', RIGHTS, 'shop');
  await grant('confined', HOME_RIGHTS, 'holdfast-system');
  proxy = await startApiProxy(server.kubeconfig);
  http = as('operator');
  confined = as('confined');
  cluster = new KubeCluster(http);
}, 120_000);

afterAll(async () => {
  http?.close();
  confined?.close();
  await proxy?.stop();
  await server?.stop();
});

/** `update apps/deployments/scale`, as the API server's authorizer sees the request. */
function rightOf({ method, path, query }: Asked): string {
  const [, root, ...rest] = path.split('/');
  const group = root === 'apis' ? rest.shift() : '';
  rest.shift();
  if (rest[0] === 'namespaces' && rest.length > 2) rest.splice(0, 2);
  const [resource, name, subresource] = rest;
  const one = name !== undefined;
  const verb = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }[method];
  const read = query.get('watch') === 'true' ? 'watch' : one ? 'get' : 'list';
  return `${verb ?? read} ${group}/${resource}${subresource === undefined ? '' : `/${subresource}`}`;
}

const TABLE = RIGHTS.flatMap(({ group, resource, verbs }) => verbs.map((verb) => `${verb} ${group}/${resource}`));

/** What the account needs to be denied: each would be a way to a secret, to a password, or to somebody's workload. */
const DENIED = [
  'get secrets',
  'list secrets',
  'watch secrets',
  'create secrets',
  'create pods',
  'create pods/exec',
  'get pods/log',
  'delete pods',
  'patch deployments.apps',
  'update deployments.apps',
  'delete deployments.apps',
  'patch statefulsets.apps',
  'get cronjobs.batch',
  'patch cronjobs.batch',
  'list deployments.apps',
  'get daemonsets.apps',
  'patch jobs.batch',
  'update jobs.batch',
  'patch leases.coordination.k8s.io',
  'update restores.holdfast.dev',
  'patch backups.holdfast.dev',
  'delete backupstores.holdfast.dev',
  'create serviceaccounts/token',
  'impersonate users',
  'bind clusterroles.rbac.authorization.k8s.io',
  'escalate clusterroles.rbac.authorization.k8s.io',
  'get configmaps',
  'list namespaces',
  'delete customresourcedefinitions.apiextensions.k8s.io',
];

const place = (name: string) => ({ namespace: 'default', name });

function versionOf({ metadata }: KubeObject): Version {
  const { namespace = '', name, uid, resourceVersion } = metadata;
  return { namespace, name, uid, resourceVersion };
}

/** The API server's own word on it. */
async function may(resourceAttributes: object): Promise<boolean> {
  const review = await http.json<{ status: { allowed: boolean } }>({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } },
  });
  return review.status.allowed;
}

async function ofPeople(object: object): Promise<void> {
  await kubectl(server.kubeconfig, ['create', '-f', '-'], JSON.stringify(object));
}

/** Our kinds with the least spec that is one, as people make them. */
const OURS = [
  [KIND.backupKey, { recipients: ['age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'] }],
  [KIND.restore, { from: { backupRef: { name: 'b' } } }],
  [
    KIND.backupStore,
    { s3: { endpoint: 'http://x:1', region: 'r', bucket: 'bucket', credentials: { secretRef: { name: 'c' } } } },
  ],
  [
    KIND.backup,
    {
      source: { postgresql: { host: 'h', database: 'd', credentials: { secretRef: { name: 'c' } } } },
      storeRef: { name: 's' },
    },
  ],
] as const;
const SCHEDULE = { schedule: '@daily', template: { spec: OURS[3][1] } };

/** Everything that the operator ever asks of an API server, for the sake of objects of one namespace. */
async function makesEveryCall(http: Http, namespace: string, only?: OnlyNamespaces): Promise<void> {
  const cluster = new KubeCluster(http);
  const place = (name: string) => ({ namespace, name });
  const all: readonly (readonly [KindRef, object])[] = [...OURS, [KIND.backupSchedule, SCHEDULE]];
  for (const [{ apiVersion, kind }, spec] of all) {
    await ofPeople({ apiVersion, kind, metadata: place('x'), spec });
  }
  const watches = new Watches(http, {
    ...(only === undefined ? {} : { only }),
    onChange: () => undefined,
    onRestart: () => undefined,
    onFatal: () => undefined,
  });
  watches.start();
  await waitFor(async () => watches.synced(), { timeoutMs: 10_000, otherwise: () => 'a list was refused' });
  await waitFor(
    async () => proxy.asked.filter((a) => rightOf(a).startsWith('watch')).every(({ status }) => status === 200),
    {
      timeoutMs: 5_000,
      otherwise: () => 'a watch was refused',
    },
  );
  await watches.stop();

  for (const [kind] of all) {
    const object = (await cluster.get(kind, place('x'))) as KubeObject;
    await cluster.applyStatus(kind, versionOf(object), { observedGeneration: 1 });
  }
  const spec = OURS[3][1];
  const { apiVersion, kind } = KIND.backup;
  const child = await cluster.create<Backup>({ apiVersion, kind, metadata: place('child'), ...{ spec } });
  await cluster.delete(KIND.backup, versionOf(child));
  const restore = (await cluster.get(KIND.restore, place('x'))) as Restore;
  await cluster.setFinalizers(KIND.restore, versionOf(restore), []);
  const drill = { apiVersion: restore.apiVersion, kind: restore.kind, metadata: place('drill'), spec: restore.spec };
  await cluster.delete(KIND.restore, versionOf(await cluster.create<Restore>(drill)));
  const { resourceVersion: _, ...reference } = versionOf(restore);
  const regarding = { apiVersion: restore.apiVersion, kind: restore.kind, ...reference };
  await cluster.event({ regarding, type: 'Normal', reason: 'Tested', note: 'n' }, new Date());

  const labels = { [LABELS.owner]: restore.metadata.uid };
  const pod = { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] };
  const job: NewJob = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { ...place('job'), labels },
    spec: { template: { spec: pod } },
  };
  const made = await cluster.create<Job>(job);
  await cluster.get(KIND.job, place('job'));
  await cluster.delete(KIND.job, versionOf(made));
  await cluster.list(KIND.pod, { namespace, labelSelector: 'app=x' });

  const lease = await cluster.create<Lease>({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...place('holdfast-x'), labels },
    ...{ spec: { holderIdentity: 'x' } },
  });
  await cluster.delete(KIND.lease, versionOf(lease), { resourceVersion: lease.metadata.resourceVersion });
  const election = new LeaderElection(cluster, {
    namespace: 'holdfast-system',
    identity: 'x',
    onElected: () => undefined,
    onLost: () => undefined,
  });
  election.start();
  await waitFor(async () => election.isLeader(), { timeoutMs: 10_000, otherwise: () => 'no leader' });
  await election.release();

  for (const kind of [KIND.deployment, KIND.statefulSet]) {
    const spec = { replicas: 1, selector: { matchLabels: { app: 'x' } } };
    const template = { metadata: { labels: { app: 'x' } }, spec: { containers: pod.containers } };
    const { apiVersion, kind: name } = kind;
    await ofPeople({ apiVersion, kind: name, metadata: place('x'), spec: { ...spec, template } });
    const scale = await cluster.getScale(kind, place('x'));
    await cluster.get(kind, place('x'));
    await cluster.setScale(kind, versionOf(scale as KubeObject), 0);
  }
}

const refused = () => proxy.asked.filter(({ status }) => status === 403);
const used = () => [...new Set(proxy.asked.map(rightOf))].sort();

describe('with the rights of the table', () => {
  test('every call that the operator makes is let in', async () => {
    proxy.asked.splice(0);
    await makesEveryCall(http, 'default');
    expect(refused()).toEqual([]);
    expect(used()).toEqual([...new Set(TABLE)].sort());
  }, 60_000);

  test('in one namespace alone, every call for the sake of that namespace is let in, and none leaves it', async () => {
    proxy.asked.splice(0);
    await makesEveryCall(confined, 'shop', { namespaces: ['shop'], home: 'holdfast-system' });
    expect(refused()).toEqual([]);
    expect(used()).toEqual([...new Set(TABLE)].sort());
    const places = new Set(proxy.asked.map(({ path }) => /\/namespaces\/([^/]+)\//.exec(path)?.[1]));
    expect(places).toEqual(new Set(['shop', 'holdfast-system']));
  }, 60_000);

  test.each(DENIED)('the operator may not %s', async (words) => {
    const [verb, what] = words.split(' ') as [string, string];
    const [whole, subresource] = what.split('/') as [string, string | undefined];
    const [resource, ...group] = whole.split('.');
    const resourceAttributes = { verb, resource, subresource, group: group.join('.') };
    expect(await may(resourceAttributes)).toBe(false);
  });

  test('the API server is asked rightly: what the table grants is allowed', async () => {
    expect(await may({ verb: 'update', group: 'apps', resource: 'deployments', subresource: 'scale' })).toBe(true);
  });

  test('a Secret is refused, and the refusal is a KubeError', async () => {
    const secret = { ...KIND.pod, kind: 'Secret', plural: 'secrets' };
    const error = await cluster.get(secret, place('x')).catch((caught: unknown) => caught);
    expect(isForbidden(error)).toBe(true);
  });
});

describe('the table', () => {
  test('has no wildcard, no Secret, and a reason for each right', () => {
    for (const { group, resource, verbs, because } of RIGHTS) {
      expect(`${group}/${resource} ${verbs.join(' ')}`).not.toMatch(/\*|secret|exec|token|bind|escalate|impersonate/);
      expect(because).toMatch(/^[A-Z].*\.$/);
    }
  });
});
