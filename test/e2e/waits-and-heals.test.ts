/**
 * What no admission can know: it is said within a minute, with the next step; the backup or restore waits; and it goes on by itself
 * when the cause is gone. The scenes are strangers to each other, so several are played at a time.
 */
import { randomBytes } from 'node:crypto';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { expect, test } from '@jest/globals';
import { secret } from '../../demo/objects.ts';
import type { Backup } from '../../src/api/backup.ts';
import type { BackupStore } from '../../src/api/backup-store.ts';
import { isTrue } from '../../src/api/conditions.ts';
import type { Restore } from '../../src/api/restore.ts';
import { run } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { backUp, printOf, startBackup, startRestore, theApp } from '../support/e2e-runs.ts';
import { aKey, aScene, contentOf, makeBucket, REPLICAS, type Scene } from '../support/e2e-scene.ts';
import { eventually, until, untilComplete, untilFailed, untilPending } from '../support/e2e-wait.ts';
import { kubectlIn, POSTGRES_HOST, theWorld, WORLD_NAMESPACE } from '../support/e2e-world.ts';

/** Of the source: everything that a test does not say is as in any scene. */
function source(scene: Scene, over: object): { postgresql: never } {
  const credentials = { secretRef: { name: 'database-login' } };
  return { postgresql: { host: POSTGRES_HOST, database: scene.database, credentials, ...over } as never };
}

const storeReady = (scene: Scene) =>
  until<BackupStore>(scene.kubectl, 'backupstore', 'store', ({ status }) => isTrue(status?.conditions, 'Ready'));

/** What a person sees who asks why the Job has no pod. */
async function refusalOf(scene: Scene, job: string): Promise<string> {
  return scene.kubectl.call(['describe', 'job', job]);
}

test.concurrent('for its store a backup waits, and goes on when there is one', async () => {
  await using scene = await aScene('no-store', { without: ['app'] });
  await storeReady(scene);
  const store = await scene.kubectl.get<BackupStore>('backupstore', 'store');
  await startBackup(scene, 'first', { storeRef: { name: 'cellar' } });
  const waiting = await untilPending<Backup>(scene.kubectl, 'backup', 'first', 'StoreNotFound');
  expect(waiting.status?.failure?.message).toContain('cellar');

  await scene.kubectl.apply([{ ...store, metadata: { name: 'cellar' }, status: undefined }]);
  await scene.kubectl.call(['wait', '--for=condition=Complete', '--timeout=2m', 'backup/first']);
});

test.concurrent('what never comes ends the wait at the start deadline, with what was missing', async () => {
  await using scene = await aScene('too-late', { without: ['app'] });
  await startBackup(scene, 'first', { storeRef: { name: 'cellar' }, startDeadline: '15s' });
  const failed = await untilFailed<Backup>(scene.kubectl, 'backup', 'first', 60);
  expect(failed.status?.failure?.reason).toBe('StoreNotFound');
  expect(failed.status?.failure?.message).toContain('15s');
});

test.concurrent('with a missing bucket the store says so, a backup waits, and both go on when there is one', async () => {
  await using scene = await aScene('missing-bucket', { without: ['app', 'bucket'] });
  await startBackup(scene, 'first');
  const waiting = await until<Backup>(
    scene.kubectl,
    'backup',
    'first',
    ({ status }) => status?.failure?.message.includes('BucketNotFound') === true,
    { seconds: 60 },
  );
  expect(waiting.status).toMatchObject({ phase: 'Pending', failure: { reason: 'StoreNotReady' } });
  expect(waiting.status?.failure?.message).toContain(scene.bucket);

  await makeBucket(scene);
  await untilComplete(scene.kubectl, 'backup', 'first');
});

test.concurrent('with credentials that the store does not take the store says so, and goes on when they are mended', async () => {
  await using scene = await aScene('store-login', { without: ['app'] });
  const { accessKeyId, secretAccessKey } = theWorld().s3;
  const credentials = (key: string) =>
    scene.kubectl.apply([secret('store-credentials', { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: key })]);
  await storeReady(scene);
  await credentials('mistyped');
  await startBackup(scene, 'first');
  const waiting = await untilPending<Backup>(scene.kubectl, 'backup', 'first', 'StoreCredentialsInvalid');
  expect(waiting.status?.failure?.hint).toContain('store-credentials');

  await credentials(secretAccessKey);
  await untilComplete(scene.kubectl, 'backup', 'first');
});

test.concurrent('without the right to use the bucket the store says which it needs, a backup waits, and both go on when it is granted', async () => {
  await using scene = await aScene('no-right', { without: ['app'] });
  const { kubectl, bucket, s3 } = scene;
  const login = await anotherUserOfTheStore(scene.namespace);
  await kubectl.apply([
    secret('store-credentials', { AWS_ACCESS_KEY_ID: login.access, AWS_SECRET_ACCESS_KEY: login.secret }),
    { ...(await kubectl.get<BackupStore>('backupstore', 'store')), metadata: { name: 'other' }, status: undefined },
  ]);
  await startBackup(scene, 'first', { storeRef: { name: 'other' } });
  const waiting = await until<Backup>(
    kubectl,
    'backup',
    'first',
    ({ status }) => status?.failure?.message.includes('StoreAccessDenied') === true,
    { seconds: 60 },
  );
  expect(waiting.status?.failure?.hint).toContain('s3:ListBucket');

  const statement = { Effect: 'Allow', Principal: login.access, Action: 's3:*' };
  const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [{ ...statement, Resource }] });
  await s3.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
  await untilComplete(kubectl, 'backup', 'first', 180);
});

/** One that the server lets in, and that owns nothing there. */
async function anotherUserOfTheStore(access: string): Promise<{ access: string; secret: string }> {
  const { address, accessKeyId, secretAccessKey } = theWorld().s3;
  const password = randomBytes(12).toString('hex');
  const create = ['create-user', '--access', access, '--secret', password, '--role', 'user'];
  await run(await program('versitygw'), ['admin', '--endpoint-url', address, ...create], {
    env: { ...process.env, ADMIN_ACCESS_KEY_ID: accessKeyId, ADMIN_SECRET_ACCESS_KEY: secretAccessKey },
  });
  return { access, secret: password };
}

test.concurrent('without a key a backup waits and tells the command that makes one, and goes on when there is one', async () => {
  await using scene = await aScene('missing-key', { without: ['app', 'key'] });
  await startBackup(scene, 'first');
  const waiting = await untilPending<Backup>(scene.kubectl, 'backup', 'first', 'NoKey');
  expect(waiting.status?.failure?.hint).toContain('age-keygen');
  const { keys } = await contentOf(scene);
  expect(keys.filter((key) => key.includes('/e2e/'))).toEqual([]);

  await scene.kubectl.apply([aKey(scene)]);
  await untilComplete(scene.kubectl, 'backup', 'first');
});

test.concurrent('for a Secret, then for a key in it, then for the right password a backup waits, and goes on', async () => {
  await using scene = await aScene('login', { without: ['app'] });
  const { kubectl, login } = scene;
  await startBackup(scene, 'first', { source: source(scene, { credentials: { secretRef: { name: 'late' } } }) });
  const noSecret = await untilPending<Backup>(kubectl, 'backup', 'first', 'SecretNotFound');
  expect(noSecret.status?.failure?.message).toContain('late');

  await kubectl.apply([secret('late', { username: login.role, pasword: login.password })]);
  const noKey = await untilPending<Backup>(kubectl, 'backup', 'first', 'SecretKeyNotFound');
  expect(noKey.status?.failure?.message).toContain('password');
  expect(noKey.status?.failure?.hint).toContain('pasword');

  await kubectl.apply([secret('late', { username: login.role, password: 'mistyped' })]);
  const refused = await untilPending<Backup>(kubectl, 'backup', 'first', 'AuthenticationFailed');
  expect(refused.status?.failure?.message).toContain(login.role);
  expect(refused.status?.failure?.hint).toContain('password in the Secret');

  await kubectl.apply([secret('late', { username: login.role, password: login.password })]);
  await untilComplete(kubectl, 'backup', 'first');
});

test.concurrent('for a host that nobody knows, then for one that does not answer a backup waits, and goes on', async () => {
  await using scene = await aScene('host', { without: ['app'] });
  const { kubectl, namespace } = scene;
  const host = `database.${namespace}.svc`;
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'database' } };
  await startBackup(scene, 'first', { source: source(scene, { host }) });
  const unknown = await untilPending<Backup>(kubectl, 'backup', 'first', 'DatabaseUnreachable');
  expect(unknown.status?.failure?.message).toContain(host);
  expect(unknown.status?.failure?.message).toContain('not known');

  await kubectl.apply([{ ...service, spec: { ports: [{ port: 5432 }] } }]);
  await until<Backup>(
    kubectl,
    'backup',
    'first',
    ({ status }) => status?.phase === 'Pending' && !(status.failure?.message.includes('not known') ?? true),
    { seconds: 90 },
  );

  await kubectl.apply([
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'database-1', labels: { 'kubernetes.io/service-name': 'database' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [await postgresPodAddress()] }],
      ports: [{ port: 5432 }],
    },
  ]);
  await untilComplete(kubectl, 'backup', 'first', 180);
});

async function postgresPodAddress(): Promise<string> {
  const [pod] = await kubectlIn(WORLD_NAMESPACE).list<{ status: { podIP: string } }>('pod', 'app=postgres');
  if (pod === undefined) throw new Error('there is no pod of PostgreSQL');
  return pod.status.podIP;
}

/** Each refuses the runner's pod in the namespace; deleting it is the cure. */
const REFUSALS: readonly (readonly [what: string, said: string, objects: (namespace: string) => object[]])[] = [
  [
    'quota',
    'exceeded quota',
    () => [{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' }, spec: { hard: { pods: '0' } } }],
  ],
  [
    'limit',
    'maximum memory usage',
    () => [
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'small' },
        spec: { limits: [{ type: 'Container', max: { memory: '16Mi' } }] },
      },
    ],
  ],
  [
    'policy',
    'the company wants a cost centre',
    (namespace) => [
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: namespace },
        spec: {
          matchConstraints: {
            resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          },
          validations: [{ expression: 'false', message: 'the company wants a cost centre' }],
        },
      },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: namespace },
        spec: {
          policyName: namespace,
          validationActions: ['Deny'],
          matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
        },
      },
    ],
  ],
];

/** Some seconds pass before an API server goes by a new quota or policy. Takes what the restricted level takes, and as much memory as the runner. */
async function answerToAPod(scene: Scene): Promise<string> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'tried' },
    spec: {
      securityContext: { runAsNonRoot: true, runAsUser: 65534, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'tried',
          image: 'tried',
          resources: { limits: { memory: '1Gi' } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  };
  return scene.kubectl.call(['apply', '--dry-run=server', '-f', '-'], JSON.stringify(pod)).catch(String);
}

test.concurrent.each(REFUSALS)(
  'with a %s that refuses its pod a backup waits and says where the refusal is, and goes on without it',
  async (what, said, objectsIn) => {
    await using scene = await aScene(what, { without: ['app'] });
    const { kubectl } = scene;
    await storeReady(scene);
    const objects = objectsIn(scene.namespace) as { kind: string; metadata: { name: string } }[];
    await kubectl.apply(objects);
    try {
      await eventually(`a pod is refused: ${said}`, async () => (await answerToAPod(scene)).includes(said));
      await startBackup(scene, 'first');
      const waiting = await untilPending<Backup>(kubectl, 'backup', 'first', 'PodNotCreated');
      const job = waiting.status!.jobName!;
      expect(waiting.status?.failure?.hint).toContain(`kubectl describe job ${job}`);
      expect(await refusalOf(scene, job)).toContain(said);
    } finally {
      for (const { kind, metadata } of objects) await kubectl.call(['delete', kind, metadata.name]);
    }
    await untilComplete(kubectl, 'backup', 'first', 180);
  },
);

test.concurrent('for its private key a restore waits with the app untouched, and goes on when it is there', async () => {
  await using scene = await aScene('identity');
  const { kubectl, identity } = scene;
  await backUp(scene, 'first');
  const print = await printOf(scene);
  const before = (await theApp(scene)).metadata.generation;
  await startRestore(scene, 'again', 'first', { identity: { secretRef: { name: 'late', key: 'identity' } } });
  const waiting = await untilPending<Restore>(kubectl, 'restore', 'again', 'SecretNotFound');
  expect(waiting.status?.failure?.message).toContain('late');
  await kubectl.apply([secret('late', { key: identity })]);
  await untilPending<Restore>(kubectl, 'restore', 'again', 'SecretKeyNotFound');
  expect((await theApp(scene)).metadata.generation).toBe(before);

  await kubectl.apply([secret('late', { identity })]);
  await kubectl.call(['wait', '--for=condition=Complete', '--timeout=2m', 'restore/again']);
  expect(await printOf(scene)).toEqual(print);
  expect((await theApp(scene)).spec.replicas).toBe(REPLICAS);
});
