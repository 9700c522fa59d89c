import { describe, expect, test } from '@jest/globals';
import { type Manifest, only, render } from './render.ts';

const file = { clusterName: 'north' };

interface PodSpec {
  readonly securityContext: object;
  readonly containers: readonly { readonly securityContext: object; readonly env: readonly object[] }[];
  readonly [field: string]: unknown;
}

const templateOf = (manifests: readonly Manifest[]) =>
  (only(manifests, 'Deployment')['spec'] as { template: { metadata: Manifest['metadata']; spec: PodSpec } }).template;

const testPodOf = (manifests: readonly Manifest[]) => only(manifests, 'Pod', '-test')['spec'] as PodSpec;

const PLACEMENT = {
  imagePullSecrets: [{ name: 'registry' }],
  priorityClassName: 'system-cluster-critical',
  nodeSelector: { disk: 'ssd' },
  tolerations: [{ key: 'infra', operator: 'Exists' }],
};

describe("the operator's pods", () => {
  test('go where the values say, pulled with what they name; and so does the pod of helm test', async () => {
    const manifests = await render({}, { file: { ...file, ...PLACEMENT } });
    expect(templateOf(manifests).spec).toMatchObject(PLACEMENT);
    expect(testPodOf(manifests)).toMatchObject(PLACEMENT);
  });

  test('keep to different nodes unless the values have an affinity of their own', async () => {
    expect(templateOf(await render({}, { file })).spec['affinity']).toHaveProperty('podAntiAffinity');
    const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } };
    const topologySpreadConstraints = [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }];
    const manifests = await render({}, { file: { ...file, affinity, topologySpreadConstraints } });
    expect(templateOf(manifests).spec).toMatchObject({ affinity, topologySpreadConstraints });
    expect(templateOf(manifests).spec['affinity']).toEqual(affinity);
  });

  test('bear the labels and annotations of the values beside their own', async () => {
    const given = { podLabels: { team: 'data' }, podAnnotations: { 'prometheus.io/scrape': 'true' } };
    const manifests = await render({}, { file: { ...file, ...given } });
    expect(templateOf(manifests).metadata).toMatchObject({
      labels: { team: 'data', 'app.kubernetes.io/name': 'holdfast' },
      annotations: { 'prometheus.io/scrape': 'true', 'kubectl.kubernetes.io/default-container': 'operator' },
    });
  });

  test('have an account with the annotations of the values', async () => {
    const annotations = { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/x' };
    const manifests = await render({}, { file: { ...file, serviceAccount: { annotations } } });
    expect(manifests.find(({ kind, metadata }) => kind === 'ServiceAccount' && metadata.name === 'holdfast')).toEqual(
      expect.objectContaining({ metadata: expect.objectContaining({ annotations }) }),
    );
  });
});

describe('helm test', () => {
  const values = {
    ...file,
    keys: { recipients: ['age1qqqqqqqqqq'] },
    s3: { endpoint: 's3.example.com', bucket: 'backups', credentialsSecretName: 'bucket' },
    database: { host: 'pg', name: 'shop', credentialsSecretName: 'login' },
    backup: { namespace: 'shop', name: 'nightly' },
  };

  test('runs one pod that PodSecurity restricted takes', async () => {
    const { securityContext, containers } = testPodOf(await render({}, { file }));
    expect(securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(containers.map((container) => container.securityContext)).toEqual([
      { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    ]);
  });

  test('is one test to Helm, which shows one log', async () => {
    const hooks = (await render({}, { file: values })).filter(
      ({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'test',
    );
    expect(hooks.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual(['Pod holdfast-test']);
  });

  test('asks the operator of this release, by the Service that the chart makes', async () => {
    const manifests = await render({}, { file, release: 'blue' });
    const service = only(manifests, 'Service').metadata;
    expect(testPodOf(manifests).containers[0]?.env).toContainEqual({
      name: 'HOLDFAST_TEST_OPERATOR',
      value: `http://${service.name}.${service.namespace}.svc:8080/readyz`,
    });
  });

  test('has no right of its own without a schedule, and with one may read its three objects', async () => {
    const rolesOf = (manifests: readonly Manifest[]) =>
      manifests.filter(({ kind, metadata }) => /^(Cluster)?Role$/.test(kind) && metadata.name === 'holdfast-test');
    expect(rolesOf(await render({}, { file }))).toEqual([]);
    const [role, ...more] = rolesOf(await render({}, { file: values }));
    expect(more).toEqual([]);
    expect(role).toMatchObject({ kind: 'Role', metadata: { namespace: 'shop' } });
    expect(role?.['rules']).toEqual([
      {
        apiGroups: ['holdfast.dev'],
        resources: ['backupstores', 'backupkeys', 'backupschedules'],
        resourceNames: ['nightly'],
        verbs: ['get'],
      },
    ]);
  });

  test('is taken for the operator by nothing: neither by its Service nor by its budget', async () => {
    const manifests = await render({}, { file: { ...values, networkPolicy: { enabled: true } } });
    const selector = only(manifests, 'PodDisruptionBudget')['spec'] as { selector: { matchLabels: object } };
    for (const { metadata } of manifests.filter(({ kind }) => kind === 'Pod')) {
      expect(metadata.labels).not.toMatchObject(selector.selector.matchLabels);
    }
  });
});

describe('network policies', () => {
  interface Policy {
    readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly policyTypes: readonly string[];
    readonly ingress?: readonly { readonly from?: readonly object[] }[];
    readonly egress: readonly { readonly ports?: readonly { readonly port: number | string }[] }[];
  }
  const policy = (manifests: readonly Manifest[], name: string) =>
    manifests.find(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === name) as
      | (Manifest & { readonly spec: Policy })
      | undefined;
  const rendered = (networkPolicy: object, more: object = {}) =>
    render({}, { file: { ...file, ...more, networkPolicy: { enabled: true, ...networkPolicy } } });

  test('are not there unless somebody asks', async () => {
    expect((await render({}, { file })).filter(({ kind }) => kind === 'NetworkPolicy')).toEqual([]);
  });

  test("let the operator to the API server's ports and the name service, and in whoever reads the metrics", async () => {
    const manifests = await rendered({ apiServerPorts: [16443], metricsFrom: [{ podSelector: {} }] });
    const { spec } = policy(manifests, 'holdfast')!;
    expect(templateOf(manifests).metadata.labels).toMatchObject(spec.podSelector.matchLabels);
    expect(spec.ingress).toMatchObject([
      { ports: [{ port: 'http' }], from: expect.arrayContaining([{ podSelector: {} }]) },
    ]);
    const ports = spec.egress.flatMap((rule) => rule.ports ?? []).map(({ port }) => port);
    expect(new Set(ports)).toEqual(new Set([53, 5353, 1053, 16443]));
  });

  test.each([[[]], [[{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }]]])(
    'let `helm test` ask the operator with metricsFrom %j',
    async (metricsFrom) => {
      const manifests = await rendered({ metricsFrom });
      const [rule] = policy(manifests, 'holdfast')!.spec.ingress!;
      const { labels } = only(manifests, 'Pod', '-test').metadata;
      const peers = (rule?.from ?? [{ podSelector: {} }]) as { podSelector?: { matchLabels?: object } }[];
      const lets = peers.filter(({ podSelector }) => podSelector !== undefined);
      expect(lets).not.toHaveLength(0);
      expect(labels).toMatchObject(lets[0]?.podSelector?.matchLabels ?? {});
    },
  );

  test('let what the chart runs once to the API server and the operator, and nothing in', async () => {
    const manifests = await rendered({});
    const { spec } = policy(manifests, 'holdfast-hooks')!;
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(spec.ingress).toBeUndefined();
    const once = manifests.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== undefined);
    const pods = once.flatMap((manifest) => {
      if (manifest.kind === 'Pod') return [manifest.metadata.labels];
      return manifest.kind === 'Job' ? [(manifest['spec'] as { template: Manifest }).template.metadata.labels] : [];
    });
    expect(pods.length).toBeGreaterThan(0);
    for (const labels of pods) expect(labels).toMatchObject(spec.podSelector.matchLabels);
  });

  test('reach the Jobs where the schedule is, let nothing in, and out to where the values say', async () => {
    const more = {
      keys: { recipients: ['age1qqqqqqqqqq'] },
      s3: { endpoint: 's3.example.com', bucket: 'backups', credentialsSecretName: 'bucket' },
      database: { host: 'pg', name: 'shop', credentialsSecretName: 'login' },
      backup: { namespace: 'shop' },
    };
    const open = policy(await rendered({}, more), 'holdfast-runner')!;
    expect(open.metadata.namespace).toBe('shop');
    expect(open.spec).toMatchObject({ policyTypes: ['Ingress', 'Egress'], egress: [{}] });
    expect(open.spec.ingress).toBeUndefined();
    const rule = { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] };
    expect(policy(await rendered({ runnerEgress: [rule] }, more), 'holdfast-runner')!.spec.egress.slice(1)).toEqual([
      rule,
    ]);
  });
});
