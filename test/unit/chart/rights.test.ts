import { describe, expect, test } from '@jest/globals';
import { RIGHTS } from '../../../src/kube/rights.ts';
import { type Manifest, only, render } from './render.ts';

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

  test('is bound to that role alone', async () => {
    const bindings = (await chart).filter((m) => /^(Cluster)?RoleBinding$/.test(m.kind));
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
