import { describe, expect, test } from '@jest/globals';
import { only, render, renderReusing, renderText } from './render.ts';

const values = { clusterName: 'north' };

/** A field deep within a manifest. */
function at(object: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown> | undefined)?.[key], object);
}

/** A kind that restores may scale, with one of its words replaced. */
function scalable(wrong: Readonly<Record<string, string>>): Record<string, string> {
  const kind = { group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts', kind: 'Rollout', ...wrong };
  const given = Object.entries(kind).map(([word, value]) => [`restore.scalableKinds[0].${word}`, value]);
  return { ...values, ...Object.fromEntries(given) };
}

describe('the chart asks for what only a person can know, and for nothing else', () => {
  test('without the name of the cluster it stops, and says which command to type', async () => {
    await expect(renderText({})).rejects.toThrow(/clusterName is missing: the name of this cluster/);
    await expect(renderText({})).rejects.toThrow(
      'helm upgrade --install holdfast <chart> --namespace holdfast-system --set clusterName=<name>',
    );
  });

  test.each([
    ['a name that is no path segment', { clusterName: 'North/1' }, /clusterName/],
    ['a value that does not exist', { ...values, replica: '3' }, /replica/],
    ['a value that does not exist within another', { ...values, 'image.name': 'x' }, /name/],
    ['a pull policy that Kubernetes does not know', { ...values, 'image.pullPolicy': 'Sometimes' }, /pullPolicy/],
    ['a kind to scale of no group, which might be Secret', scalable({ group: '' }), /group/],
    ['a kind to scale that stands for every one', scalable({ resource: '*' }), /resource/],
    ['a kind to scale that is a subresource', scalable({ resource: 'pods/exec' }), /resource/],
    ['a kind to scale with a version that is none', scalable({ version: 'latest' }), /version/],
    ['a kind to scale in lower case', scalable({ kind: 'rollout' }), /kind/],
    ['a log level that does not exist', { ...values, logLevel: 'loud' }, /logLevel/],
  ])('it refuses %s by its place', async (_what, given, message) => {
    await expect(renderText(given)).rejects.toThrow(message);
  });

  test('it refuses a Kubernetes that is too old, and takes the versions of managed clusters', async () => {
    await expect(render(values, { kubernetes: '1.30.9' })).rejects.toThrow(/incompatible with Kubernetes/);
    expect(await render(values, { kubernetes: 'v1.31.2-eks-1' })).not.toHaveLength(0);
  });
});

/** All the values that the first chart had. */
const FIRST = {
  ...values,
  image: { repository: 'localhost/holdfast', tag: '', pullPolicy: 'IfNotPresent' },
  replicas: 2,
  logLevel: 'info',
  resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
  runner: { resources: {} },
};

test('the values of an older chart alone, as --reuse-values gives them, make what the defaults make', async () => {
  expect(await renderReusing(FIRST)).toBe(await renderText(values));
});

describe('groups of values that are not there', () => {
  const asked = {
    keys: { recipients: ['age1qqqqqqqqqq'] },
    s3: { endpoint: 's3.example.com', bucket: 'backups', credentialsSecretName: 'bucket-login' },
    database: { host: 'pg.shop.svc', name: 'shop', credentialsSecretName: 'database-login' },
  };

  test('are no obstacle to a schedule by --reuse-values from a chart that did not know them', async () => {
    expect(await renderReusing({ ...FIRST, ...asked })).toContain('kind: BackupSchedule');
  });

  test.each(['backup', 'restore', 'runner', 'crds', 'networkPolicy', 'serviceAccount'])(
    'may be taken away with %s=null',
    async (group) => {
      expect(await renderText({}, { file: { ...values, ...asked, [group]: null } })).toContain('kind: BackupSchedule');
    },
  );

  test('leave the ports of the API server at what they are by default', async () => {
    const text = await renderReusing({ ...FIRST, networkPolicy: { enabled: true } });
    expect(text.match(/- port: 6443$/gm)).toHaveLength(2);
  });
});

describe('what it makes of the values', () => {
  test('the runner uses the image and the pull policy of the operator', async () => {
    const image = { 'image.repository': 'example.com/holdfast', 'image.tag': 'v7', 'image.pullPolicy': 'Never' };
    const container = at(
      only(await render({ ...values, ...image }), 'Deployment'),
      ...['spec', 'template', 'spec', 'containers', 0],
    );
    expect(container).toMatchObject({
      image: 'example.com/holdfast:v7',
      imagePullPolicy: 'Never',
      env: expect.arrayContaining([
        { name: 'HOLDFAST_CLUSTER_NAME', value: 'north' },
        { name: 'HOLDFAST_RUNNER_IMAGE', value: 'example.com/holdfast:v7' },
        { name: 'HOLDFAST_RUNNER_IMAGE_PULL_POLICY', value: 'Never' },
      ]),
    });
  });

  test('a digest takes the place of the tag, in the operator, its Jobs, the hooks and the test', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const text = await renderText({
      ...values,
      'image.repository': 'example.com/holdfast',
      'image.tag': 'v7',
      'image.digest': digest,
    });
    const images = [...text.matchAll(/example\.com\/holdfast\S*?(?=")/g)].map(([image]) => image);
    expect(images.length).toBeGreaterThanOrEqual(5);
    expect(new Set(images)).toEqual(new Set([`example.com/holdfast@${digest}`]));
  });

  test("the runner's resources reach it as JSON, and are left to the operator where none are given", async () => {
    const environment = async (given: Record<string, string>) =>
      at(
        only(await render({ ...values, ...given }), 'Deployment'),
        ...['spec', 'template', 'spec', 'containers', 0, 'env'],
      ) as { name: string; value: string }[];
    const variable = (env: { name: string; value: string }[]) =>
      env.find(({ name }) => name === 'HOLDFAST_RUNNER_RESOURCES')?.value;
    expect(variable(await environment({}))).toBeUndefined();
    const limited = variable(await environment({ 'runner.resources.limits.memory': '2Gi' }));
    expect(JSON.parse(limited ?? '')).toEqual({ limits: { memory: '2Gi' } });
  });

  test('two replicas by default, of which a drain takes one at a time; a single one has no budget to block a drain', async () => {
    const two = await render(values);
    expect(at(only(two, 'Deployment'), 'spec', 'replicas')).toBe(2);
    expect(at(only(two, 'PodDisruptionBudget'), 'spec', 'maxUnavailable')).toBe(1);
    const one = await render({ ...values, replicas: '1' });
    expect(one.map((manifest) => manifest.kind)).not.toContain('PodDisruptionBudget');
  });

  test('every name follows the release, so that a second one is not in the way', async () => {
    const names = (await render(values, { release: 'blue' })).map((manifest) => manifest.metadata.name);
    expect(names.filter((name) => !name.startsWith('blue-holdfast'))).toEqual([]);
  });

  test('the policy on Leases names the account that the Deployment runs as', async () => {
    const manifests = await render(values, { release: 'blue' });
    const account = at(only(manifests, 'Deployment'), 'spec', 'template', 'spec', 'serviceAccountName');
    expect(account).toBe('blue-holdfast');
    expect(at(only(manifests, 'ValidatingAdmissionPolicy'), 'spec', 'matchConditions', 0, 'expression')).toBe(
      `request.userInfo.username == 'system:serviceaccount:holdfast-system:${account}'`,
    );
  });
});
