/**
 * Stores whose servers are this machine's, since they need what the cluster's own S3 server has not: roles and a token service,
 * or a certificate. An admission policy stands in for the webhook of EKS, and puts into the pod what that does.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { expect, test } from '@jest/globals';
import { secret } from '../../demo/objects.ts';
import type { BackupStore } from '../../src/api/backup-store.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import { addressesOf } from '../cluster/addresses.ts';
import { issue, makeAuthority } from '../cluster/pki.ts';
import { localS3 } from '../cluster/versitygw.ts';
import { type Cloud, startCloud } from '../support/cloud.ts';
import { applyExample, runNow, theDatabase, theKey } from '../support/e2e-examples.ts';
import { aScene, type Scene } from '../support/e2e-scene.ts';
import { until } from '../support/e2e-wait.ts';
import { E2E_CLUSTER } from '../support/e2e-world.ts';

/** Of this machine, as pods see it. */
const HOST = addressesOf(E2E_CLUSTER).host;
const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples', 'eks');
const ACCOUNT = 'holdfast-backup';

const readyOf = (store: BackupStore) => store.status?.conditions?.find(({ type }) => type === 'Ready');

test('eks/fastapi.yaml backs up as the role of its service account, without an access key anywhere', async () => {
  await using cloud = await startCloud(HOST);
  await using scene = await aScene('eks', { without: ['app', 'key', 'bucket'] });
  await cloud.createBucket('acme-backups');
  const arn = await roleOf(cloud, scene);
  await using _ = await webhook(scene, cloud, arn);
  await applyExample(scene, 'eks/fastapi.yaml', [
    ...theKey(scene),
    ...theDatabase(scene),
    ['https://s3.eu-central-1.amazonaws.com', cloud.s3],
    ['region: eu-central-1', `region: ${cloud.region}`],
    // AWS takes the bucket as a part of the host name; a server without a name cannot.
    ['prefix: prod #', 'forcePathStyle: true\n    prefix: prod #'],
  ]);
  // A policy of admission takes some seconds to be in force; a pod without an identity is a failure that heals.
  await until<BackupStore>(scene.kubectl, 'backupstore', 'aws', (store) => readyOf(store)?.reason === 'Usable');
  await runNow(scene, 'fastapi');
  const { Contents } = await cloud.client.send(new ListObjectsV2Command({ Bucket: 'acme-backups' }));
  const keys = (Contents ?? []).map(({ Key }) => Key ?? '');
  expect(keys.filter((key) => key.endsWith('/manifest.json'))).toHaveLength(1);
  expect(keys.every((key) => key.startsWith('prod/'))).toBe(true);
});

test('a service account that is not there, or has no role, is told by its name within a minute', async () => {
  await using scene = await aScene('no-account', { without: ['app', 'bucket'] });
  const aStore = (serviceAccountName: string) => ({
    apiVersion: API_VERSION,
    kind: 'BackupStore',
    metadata: { name: 'cloud' },
    spec: { serviceAccountName, s3: { endpoint: 'http://s3.invalid', region: 'us-east-1', bucket: 'backups' } },
  });
  await scene.kubectl.apply([aStore('nobody')]);
  const refused = await until<BackupStore>(
    scene.kubectl,
    'backupstore',
    'cloud',
    (store) => readyOf(store)?.reason === 'PodNotCreated',
    { seconds: 60 },
  );
  expect(readyOf(refused)?.message).toContain('the ServiceAccount nobody does not exist');

  await scene.kubectl.apply([aStore('default')]);
  const without = await until<BackupStore>(
    scene.kubectl,
    'backupstore',
    'cloud',
    (store) => readyOf(store)?.reason === 'NoCloudIdentity',
    { seconds: 60 },
  );
  expect(readyOf(without)?.message).toContain('the service account default');
});

test('a store behind a private authority is Ready once its ConfigMap is there, and says what is missing until then', async () => {
  const pki = await mkdtemp(join(tmpdir(), 'holdfast-store-'));
  await makeAuthority(pki, 'authority of the store');
  await issue(pki, { file: 's3', commonName: 's3', alternativeNames: [`IP:${HOST}`] });
  const [certificate, key, authority] = ['s3.crt', 's3.key', 'ca.crt'].map((file) => join(pki, file)) as [
    string,
    string,
    string,
  ];
  const server = await localS3({ address: HOST, tls: { certificate, key, authority } });
  try {
    await server.createBucket('backups');
    await using scene = await aScene('private-authority', { without: ['app', 'bucket'] });
    const { accessKeyId, secretAccessKey, endpoint, region } = server;
    const s3 = {
      ...{ endpoint, region, bucket: 'backups', forcePathStyle: true },
      credentials: { secretRef: { name: 'hmac', accessKeyIdKey: 'id', secretAccessKeyKey: 'secret' } },
    };
    const store = (spec: object) => ({ apiVersion: API_VERSION, kind: 'BackupStore', metadata: { name: 'own' }, spec });
    const says = (reason: string) =>
      until<BackupStore>(scene.kubectl, 'backupstore', 'own', (found) => readyOf(found)?.reason === reason);
    await scene.kubectl.apply([secret('hmac', { id: accessKeyId, secret: secretAccessKey }), store({ s3 })]);
    expect(readyOf(await says('StoreTlsFailed'))?.message).toContain('spec.s3.tls');

    const tls = { caConfigMapRef: { name: 'company-ca', key: 'ca.crt' } };
    await scene.kubectl.apply([store({ s3: { ...s3, tls } })]);
    expect(readyOf(await says('ConfigMapNotFound'))?.message).toContain('company-ca');

    await scene.kubectl.call(['create', 'configmap', 'company-ca', `--from-file=ca.crt=${authority}`]);
    expect(readyOf(await says('Usable'))?.status).toBe('True');
  } finally {
    await server.stop();
    await rm(pki, { recursive: true, force: true });
  }
});

async function roleOf(cloud: Cloud, scene: Scene): Promise<string> {
  const file = (name: string) => readFile(join(EXAMPLES, name), 'utf8');
  const trust = (await file('trust-policy.json'))
    .replaceAll('oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE', cloud.issuer)
    .replaceAll('111122223333', '000000000000')
    .replaceAll(`:shop:${ACCOUNT}`, `:${scene.namespace}:${ACCOUNT}`);
  return cloud.role(ACCOUNT, trust, { backup: await file('policy-backup.json') });
}

/** What the webhook of EKS does to a pod of an annotated service account; the token is in a Secret, for want of its volume. */
async function webhook(scene: Scene, cloud: Cloud, arn: string): Promise<AsyncDisposable> {
  const name = `stand-in-for-eks-${scene.namespace}`;
  const folder = '/var/run/secrets/eks.amazonaws.com/serviceaccount';
  const environment = {
    AWS_ROLE_ARN: arn,
    AWS_WEB_IDENTITY_TOKEN_FILE: `${folder}/token`,
    AWS_REGION: cloud.region,
    AWS_DEFAULT_REGION: cloud.region,
    AWS_STS_REGIONAL_ENDPOINTS: 'regional',
    // The one thing that EKS does not set.
    AWS_ENDPOINT_URL_STS: cloud.sts,
  };
  const patches = [
    `JSONPatch{op: "add", path: "/spec/volumes/-", value: Object.spec.volumes{name: "aws-iam-token", secret: Object.spec.volumes.secret{secretName: "aws-iam-token"}}}`,
    `JSONPatch{op: "add", path: "/spec/containers/0/volumeMounts/-", value: Object.spec.containers.volumeMounts{name: "aws-iam-token", mountPath: "${folder}", readOnly: true}}`,
    ...Object.entries(environment).map(
      ([variable, value]) =>
        `JSONPatch{op: "add", path: "/spec/containers/0/env/-", value: Object.spec.containers.env{name: "${variable}", value: "${value}"}}`,
    ),
  ];
  const policy = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingAdmissionPolicy',
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      reinvocationPolicy: 'Never',
      matchConstraints: {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': scene.namespace } },
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
      },
      matchConditions: [{ name: 'account', expression: `object.spec.serviceAccountName == "${ACCOUNT}"` }],
      mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: `[${patches.join(', ')}]` } }],
    },
  };
  const binding = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name },
  };
  await scene.kubectl.apply([
    secret('aws-iam-token', { token: cloud.token(scene.namespace, ACCOUNT) }),
    policy,
    binding,
  ]);
  return {
    async [Symbol.asyncDispose]() {
      await scene.kubectl.call(['delete', 'mutatingadmissionpolicybinding,mutatingadmissionpolicy', name]);
    },
  };
}
