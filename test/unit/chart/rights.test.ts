import { describe, expect, test } from '@jest/globals';
import { CRON_JOB_RIGHTS, HOME_RIGHTS, RIGHTS, type Right, scaleRights } from '../../../src/kube/rights.ts';
import { type Manifest, only, refusal, render } from './render.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const rulesOf = (manifest: Manifest) => manifest['rules'] as readonly Rule[];

/** `verb group/resource`, each once, in order. */
function spelledOut(rules: readonly Rule[]): string[] {
  const all = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`))),
  );
  return [...new Set(all)].sort();
}

const chart = render({ clusterName: 'north' });

describe("the operator's account", () => {
  test('has every right of src/kube/rights.ts, and no other', async () => {
    const table = RIGHTS.map(({ group, resource, verbs }) => ({ apiGroups: [group], resources: [resource], verbs }));
    const roles = (await chart).filter((m) => m.kind === 'ClusterRole' && m.metadata.name === 'holdfast');
    expect(roles).toHaveLength(1);
    expect(roles.flatMap((role) => spelledOut(rulesOf(role)))).toEqual(spelledOut(table));
  });

  test('of kinds that restores may scale beyond the usual has the same rights as of Deployments, and no other', async () => {
    const scalableKinds = [{ group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts', kind: 'Rollout' }];
    const more = await render({}, { file: { clusterName: 'north', restore: { scalableKinds } } });
    const [role] = more.filter((m) => m.kind === 'ClusterRole' && m.metadata.name === 'holdfast');
    expect(spelledOut(rulesOf(role as Manifest))).toEqual(
      table([...RIGHTS, ...scaleRights('argoproj.io', 'rollouts')]),
    );
  });

  test('may patch CronJobs only where the chart is told so', async () => {
    const more = await render({ clusterName: 'north', 'restore.suspendCronJobs': 'true' });
    const [role] = more.filter((m) => m.kind === 'ClusterRole' && m.metadata.name === 'holdfast');
    expect(spelledOut(rulesOf(role as Manifest))).toEqual(table([...RIGHTS, ...CRON_JOB_RIGHTS]));
  });

  test('is bound to that role alone', async () => {
    // What lives as long as one hook has accounts of its own.
    const lasting = (await chart).filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined);
    const bindings = lasting.filter((m) => /^(Cluster)?RoleBinding$/.test(m.kind));
    expect(bindings.map(({ roleRef, subjects }) => ({ roleRef, subjects }))).toEqual([
      {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'holdfast' },
        subjects: [{ kind: 'ServiceAccount', name: 'holdfast', namespace: 'holdfast-system' }],
      },
    ]);
  });

  test('has no wildcard and no Secret in any role of the chart', async () => {
    const words = (await chart)
      .filter((m) => /Role$/.test(m.kind))
      .flatMap((role) => rulesOf(role))
      .flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs]);
    expect(words).not.toHaveLength(0);
    expect(words.filter((word) => word.includes('*') || word.startsWith('secrets'))).toEqual([]);
  });
});

/** Everything of the chart but what lives as long as one hook or one `helm test`. */
async function confinedTo(watchNamespaces: readonly string[], more: object = {}): Promise<readonly Manifest[]> {
  const all = await render({}, { file: { clusterName: 'north', watchNamespaces, ...more } });
  return all.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined);
}

const table = (rights: readonly Right[]) =>
  spelledOut(rights.map(({ group, resource, verbs }) => ({ apiGroups: [group], resources: [resource], verbs })));

describe('the account of an operator of some namespaces', () => {
  test('has every right of src/kube/rights.ts in each of them, the Leases in its own, and nothing else', async () => {
    const roles = (await confinedTo(['shop', 'billing'])).filter(({ kind }) => kind === 'Role');
    const rights = roles.map((role) => [role.metadata.namespace, spelledOut(rulesOf(role))]);
    expect(Object.fromEntries(rights)).toEqual({
      shop: table(RIGHTS),
      billing: table(RIGHTS),
      'holdfast-system': table(HOME_RIGHTS),
    });
    expect(table(HOME_RIGHTS).every((right) => right.endsWith(' coordination.k8s.io/leases'))).toBe(true);
  });

  test('of kinds beyond the usual and of CronJobs has the same there, and in no other place', async () => {
    const scalableKinds = [{ group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts', kind: 'Rollout' }];
    const roles = await confinedTo(['shop'], { restore: { scalableKinds, suspendCronJobs: true } });
    const [shop, home] = ['shop', 'holdfast-system'].map((namespace) =>
      roles.filter(({ kind, metadata }) => kind === 'Role' && metadata.namespace === namespace),
    );
    const more = [...scaleRights('argoproj.io', 'rollouts'), ...CRON_JOB_RIGHTS];
    expect(shop?.map((role) => spelledOut(rulesOf(role)))).toEqual([table([...RIGHTS, ...more])]);
    expect(home?.map((role) => spelledOut(rulesOf(role)))).toEqual([table(HOME_RIGHTS)]);
  });

  test('has no ClusterRole: each Role is bound where it is, to that account', async () => {
    const manifests = await confinedTo(['shop']);
    const bindings = manifests.filter(({ kind }) => /^(Cluster)?RoleBinding$/.test(kind));
    const subjects = [{ kind: 'ServiceAccount', name: 'holdfast', namespace: 'holdfast-system' }];
    const bound = (name: string) => ({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects,
    });
    expect(bindings).toMatchObject([
      { metadata: { namespace: 'holdfast-system' }, ...bound('holdfast-operator-leases') },
      { metadata: { namespace: 'shop' }, ...bound('holdfast-operator') },
    ]);
    const clusterRoles = manifests.filter(({ kind }) => kind === 'ClusterRole').map(({ metadata }) => metadata.name);
    expect(clusterRoles).toEqual(['holdfast-view', 'holdfast-edit']);
  });

  test('has both Roles where its own namespace is among them', async () => {
    const roles = (await confinedTo(['holdfast-system'])).filter(({ kind }) => kind === 'Role');
    expect(roles.map(({ metadata }) => metadata.name).sort()).toEqual([
      'holdfast-operator',
      'holdfast-operator-leases',
    ]);
  });

  test('has Roles of the same names in every release, so that Helm refuses a second operator of a namespace', async () => {
    const values = { clusterName: 'north', watchNamespaces: '{shop}' };
    const names = async (release: string) =>
      (await render(values, { release, show: ['templates/roles.yaml'] })).map(({ metadata }) => metadata.name);
    expect(await names('blue')).toEqual(await names('green'));
  });

  test('is told the same namespaces that it has rights in', async () => {
    const deployment = only(await confinedTo(['shop', 'billing']), 'Deployment');
    expect(JSON.stringify(deployment)).toContain('{"name":"HOLDFAST_WATCH_NAMESPACES","value":"shop,billing"}');
    expect(JSON.stringify(only(await chart, 'Deployment'))).not.toContain('HOLDFAST_WATCH_NAMESPACES');
  });
});

describe('an install without a right on the cluster', () => {
  /** Kinds of Kubernetes that are in a namespace, of those that this chart uses. */
  const NAMESPACED = [
    ...['ConfigMap', 'Deployment', 'Job', 'NetworkPolicy', 'Pod', 'PodDisruptionBudget', 'Role', 'RoleBinding'],
    ...['Service', 'ServiceAccount'],
  ];

  test('makes nothing outside of namespaces, not even by a hook', async () => {
    const file = { clusterName: 'north', watchNamespaces: ['shop'], clusterObjects: false };
    const manifests = await render({}, { file });
    const outside = manifests.filter(({ kind }) => !NAMESPACED.includes(kind)).map(({ kind }) => kind);
    expect(outside).toEqual([]);
    expect(manifests.every(({ metadata }) => metadata.namespace !== undefined)).toBe(true);
  });

  test('needs namespaces to be named, and says so', async () => {
    const message = await refusal({ clusterName: 'north', clusterObjects: 'false' });
    expect(message).toContain('clusterObjects: false needs watchNamespaces');
  });
});

test.each([
  ['a name with a dot', ['a.b']],
  ['the same one twice', ['shop', 'shop']],
  ['an empty name', ['']],
])('watchNamespaces with %s are refused', async (_what, watchNamespaces) => {
  expect(await refusal({}, { file: { clusterName: 'north', watchNamespaces } })).toContain('watchNamespaces');
});

describe('people, by the aggregated roles', () => {
  const label = (to: string) => ({ [`rbac.authorization.k8s.io/aggregate-to-${to}`]: 'true' });

  test('view reads our kinds and writes nothing', async () => {
    const role = only(await chart, 'ClusterRole', '-view');
    expect(role.metadata.labels).toMatchObject(label('view'));
    expect(new Set(rulesOf(role).flatMap((rule) => rule.verbs))).toEqual(new Set(['get', 'list', 'watch']));
  });

  test('edit, which may create Pods, may create our kinds; nobody writes their status', async () => {
    const role = only(await chart, 'ClusterRole', '-edit');
    expect(role.metadata.labels).toMatchObject(label('edit'));
    expect(role.metadata.labels).not.toMatchObject(label('view'));
    const rules = rulesOf(role);
    expect(rules.flatMap((rule) => rule.resources).filter((resource) => resource.includes('/'))).toEqual([]);
    expect(rules.flatMap((rule) => rule.verbs)).toContain('create');
  });

  test('both know every kind of ours', async () => {
    const kinds = RIGHTS.filter(({ group, resource }) => group === 'holdfast.dev' && !resource.includes('/'));
    const names = new Set(kinds.map(({ resource }) => resource));
    for (const ending of ['-view', '-edit']) {
      const role = only(await chart, 'ClusterRole', ending);
      expect(new Set(rulesOf(role).flatMap((rule) => rule.resources))).toEqual(names);
    }
  });
});
