import { describe, expect, test } from '@jest/globals';
import { customResourceDefinition, KINDS } from '../../../src/api/crd.ts';
import { PATIENCE_MS } from '../../../src/hooks/settle-plan.ts';
import { type Manifest, only, render } from './render.ts';

const file = { clusterName: 'north' };
const chart = render({}, { file });

const HELM_WAITS_SECONDS = 300;

const eventsOf = ({ metadata }: Manifest) => metadata.annotations?.['helm.sh/hook'];

const partOf = (manifests: readonly Manifest[], part: string) =>
  manifests.filter(({ metadata }) => metadata.name.startsWith(`holdfast-${part}`));

interface JobSpec {
  readonly backoffLimit: number;
  readonly activeDeadlineSeconds: number;
  readonly podFailurePolicy: { readonly rules: readonly object[] };
  readonly template: {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
    readonly spec: {
      readonly restartPolicy: string;
      readonly serviceAccountName: string;
      readonly securityContext: object;
      readonly containers: readonly { readonly command: readonly string[]; readonly env: readonly object[] }[];
    };
  };
}

const jobOf = (manifests: readonly Manifest[], part: string) => only(manifests, 'Job', `-${part}`)['spec'] as JobSpec;

describe.each([
  ['apply-crds', 'pre-install,pre-upgrade'],
  ['settle', 'pre-delete'],
])('the hook %s', (part, events) => {
  test('has everything of its own, made before its Job and gone with it; what failed stays for its log', async () => {
    const parts = partOf(await chart, part);
    expect(parts.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Job']),
    );
    for (const each of parts) {
      expect([each.metadata.name, eventsOf(each)]).toEqual([each.metadata.name, events]);
      expect(each.metadata.annotations?.['helm.sh/hook-delete-policy']).toBe('before-hook-creation,hook-succeeded');
      const weight = Number(each.metadata.annotations?.['helm.sh/hook-weight']);
      expect([each.kind, weight < 0]).toEqual([each.kind, each.kind !== 'Job']);
    }
  });

  test('runs that command of the image, under the restricted level, with an account of its own', async () => {
    const { spec } = jobOf(await chart, part).template;
    expect(spec).toMatchObject({
      restartPolicy: 'Never',
      serviceAccountName: `holdfast-${part}`,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          image: expect.stringMatching(/^localhost.holdfast:/),
          command: ['node', '/holdfast/dist/main/hook.mjs', part],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    });
  });

  test('ends before Helm gives up, so that its own words are the last ones; what it decided it does not decide again', async () => {
    const job = jobOf(await chart, part);
    expect(job.activeDeadlineSeconds).toBeLessThan(HELM_WAITS_SECONDS);
    expect(job.activeDeadlineSeconds * 1000).toBeGreaterThan(PATIENCE_MS);
    expect(job.backoffLimit).toBe(2);
    expect(job.podFailurePolicy.rules).toEqual([
      { action: 'FailJob', onExitCodes: { containerName: 'hook', operator: 'In', values: [3] } },
    ]);
    const annotations = only(await chart, 'Job', `-${part}`).metadata.annotations;
    expect(annotations?.['helm.sh/hook-output-log-policy']).toBe('hook-failed');
  });

  test('is no pod of the operator to its Service, its budget or its Deployment', async () => {
    const { labels } = jobOf(await chart, part).template.metadata;
    const { selector } = only(await chart, 'Deployment')['spec'] as { selector: { matchLabels: object } };
    expect(labels).not.toMatchObject(selector.matchLabels);
  });

  test('goes where the values say', async () => {
    const placement = { nodeSelector: { disk: 'ssd' }, imagePullSecrets: [{ name: 'registry' }] };
    const manifests = await render({}, { file: { ...file, ...placement } });
    expect(jobOf(manifests, part).template.spec).toMatchObject(placement);
  });

  test('has names that fit, whatever the release is called', async () => {
    const long = await render({}, { file, release: 'a'.repeat(53) });
    expect(jobOf(long, part).template.spec.serviceAccountName.length).toBeLessThanOrEqual(63);
  });
});

test('whatever runs once is a hook, and so are its rights: `helm template --no-hooks` has none of it', async () => {
  const once = (await chart).filter(
    (each) => /^(Job|Pod)$/.test(each.kind) || /settle|apply-crds/.test(each.metadata.name),
  );
  expect(once.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['Job', 'Pod', 'ClusterRole', 'ServiceAccount']));
  expect(once.filter((each) => eventsOf(each) === undefined)).toEqual([]);
});

describe('the account that upgrades our kinds', () => {
  test('reads and writes each of them by name, makes one, and nothing else', async () => {
    const names = KINDS.map(
      (kind) => (customResourceDefinition(kind, '0') as { metadata: { name: string } }).metadata.name,
    );
    const apiGroups = ['apiextensions.k8s.io'];
    const resources = ['customresourcedefinitions'];
    expect(only(await chart, 'ClusterRole', '-apply-crds')['rules']).toEqual([
      { apiGroups, resources, resourceNames: names.toSorted(), verbs: ['get', 'patch'] },
      { apiGroups, resources, verbs: ['create'] },
    ]);
  });

  test.each([
    ['something else applies them', { crds: { upgrade: false } }],
    ['the install has no right on the cluster', { watchNamespaces: ['shop'], clusterObjects: false }],
  ])('is not there where %s', async (_what, values) => {
    expect(partOf(await render({}, { file: { ...file, ...values } }), 'apply-crds')).toEqual([]);
  });
});

describe('the account that settles', () => {
  const rulesOf = (manifest: Manifest) =>
    (manifest['rules'] as { resources: string[]; verbs: string[]; resourceNames?: string[] }[]).map(
      ({ resources, verbs, resourceNames }) => `${verbs} ${resources}${resourceNames ? ` ${resourceNames}` : ''}`,
    );
  const RULES = ['list,delete,patch restores', 'list leases', 'get deployments/scale,statefulsets/scale', 'list jobs'];

  test('ends Restores, and otherwise looks', async () => {
    expect(rulesOf(only(await chart, 'ClusterRole', '-settle'))).toEqual(RULES);
    const leader = only(await chart, 'Role', '-settle-leader');
    expect([leader.metadata.namespace, rulesOf(leader)]).toEqual(['holdfast-system', ['get leases holdfast-leader']]);
  });

  test('looks at the other kinds too that restores may take to zero, and knows which', async () => {
    const scalableKinds = [{ group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts', kind: 'Rollout' }];
    const manifests = await render({}, { file: { ...file, restore: { scalableKinds, suspendCronJobs: true } } });
    const rules = rulesOf(only(manifests, 'ClusterRole', '-settle'));
    expect(rules.filter((rule) => !RULES.includes(rule))).toEqual(['get rollouts/scale', 'get cronjobs']);
    const { env } = jobOf(manifests, 'settle').template.spec.containers[0]!;
    const told = env.find((each) => (each as { name: string }).name === 'HOLDFAST_SCALABLE_KINDS');
    expect(JSON.parse((told as { value: string }).value)).toEqual(scalableKinds);
    expect(env).toContainEqual({ name: 'HOLDFAST_SUSPEND_CRON_JOBS', value: 'true' });
  });

  test('does so in the namespaces of the operator alone, where it looks after some', async () => {
    const manifests = await render({}, { file: { ...file, watchNamespaces: ['shop', 'billing'] } });
    const roles = partOf(manifests, 'settle').filter(
      ({ kind, metadata }) => kind === 'Role' && metadata.name === 'holdfast-settle',
    );
    expect(roles.map((role) => [role.metadata.namespace, rulesOf(role)])).toEqual([
      ['shop', RULES],
      ['billing', RULES],
    ]);
    expect(partOf(manifests, 'settle').map(({ kind }) => kind)).not.toContain('ClusterRole');
    const [container] = jobOf(manifests, 'settle').template.spec.containers;
    expect(container?.env).toContainEqual({ name: 'HOLDFAST_WATCH_NAMESPACES', value: 'shop,billing' });
  });
});
