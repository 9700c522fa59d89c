/** An S3 server with a certificate of an authority that no machine knows: until the right one is named, nothing is sent. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { STORE_SECRET, s3, secret } from '../../demo/objects.ts';
import type { BackupStore } from '../../src/api/backup-store.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import { s3Image } from '../cluster/images.ts';
import { issue, makeAuthority } from '../cluster/pki.ts';
import { startBackup } from '../support/e2e-runs.ts';
import { aScene, type Scene } from '../support/e2e-scene.ts';
import { eventually, until, untilComplete } from '../support/e2e-wait.ts';
import { REGION, theWorld } from '../support/e2e-world.ts';

let scene: Scene;
let folder: string;

const readText = (...path: string[]) => readFile(join(folder, ...path), 'utf8');

beforeAll(async () => {
  scene = await aScene('certificates', { without: ['app'] });
  folder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-pki-'));
  await makeAuthority(join(folder, 'ours'), 'ours');
  await makeAuthority(join(folder, 'other'), 'other');
});

afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** Puts one of the two authorities where specs look for it. */
async function trust(authority: 'ours' | 'other'): Promise<void> {
  await scene.kubectl.apply([secret('authority', { 'ca.crt': await readText(authority, 'ca.crt') })]);
}

/** The S3 server of the demonstration, in the scene's own namespace, with a certificate for its Service. */
async function serve(): Promise<string> {
  const host = `s3.${scene.namespace}.svc`;
  await issue(join(folder, 'ours'), { file: 's3', commonName: host, alternativeNames: [`DNS:${host}`] });
  const [service, deployment] = JSON.parse(JSON.stringify(s3((await s3Image()).name)));
  const { spec } = deployment.spec.template;
  const [container] = spec.containers;
  container.env.push({ name: 'VGW_CERT', value: '/tls/tls.crt' }, { name: 'VGW_KEY', value: '/tls/tls.key' });
  container.volumeMounts.push({ name: 'tls', mountPath: '/tls' });
  container.readinessProbe.httpGet.scheme = 'HTTPS';
  spec.volumes.push({ name: 'tls', secret: { secretName: 's3-tls', defaultMode: 0o640 } });
  const pair = { 'tls.crt': await readText('ours', 's3.crt'), 'tls.key': await readText('ours', 's3.key') };
  await scene.kubectl.apply([secret('s3-tls', pair), service, deployment]);
  await scene.kubectl.rolledOut('s3');
  return host;
}

test('a store with a certificate of another authority is not Ready and says so; with the right one it is, and a backup that waited goes on', async () => {
  const { kubectl, namespace } = scene;
  const host = await serve();
  const address = await kubectl.call(['get', 'service', 's3', '-o', 'jsonpath={.spec.clusterIP}']);
  // The pod is ready, but its address may not be known to the node's network yet.
  await eventually('the store makes a bucket', () =>
    makeBucketAt(address).then(
      () => true,
      () => false,
    ),
  );
  await trust('other');
  const saidAs = async (reason: string) => {
    const { status } = await until<BackupStore>(
      kubectl,
      'backupstore',
      'cellar',
      (store) => store.status?.conditions?.find(({ type }) => type === 'Ready')?.reason === reason,
      { seconds: 150 },
    );
    return status?.conditions?.find(({ type }) => type === 'Ready')?.message;
  };
  await kubectl.apply([
    {
      apiVersion: API_VERSION,
      kind: 'BackupStore',
      metadata: { name: 'cellar', namespace },
      spec: {
        s3: {
          endpoint: `https://${host}:7070`,
          region: REGION,
          bucket: 'cellar',
          forcePathStyle: true,
          credentials: { secretRef: { name: STORE_SECRET } },
          tls: { caSecretRef: { name: 'authority', key: 'ca.crt' } },
        },
      },
    },
  ]);
  expect(await saidAs('StoreTlsFailed')).toContain('key ca.crt of the Secret authority');

  await startBackup(scene, 'first', { storeRef: { name: 'cellar' } });
  await trust('ours');
  await saidAs('Usable');
  await untilComplete(kubectl, 'backup', 'first');
});

/** From this machine the certificate's name is not that of the address; what the runner thinks of it is the subject here. */
async function makeBucketAt(address: string): Promise<void> {
  const { accessKeyId, secretAccessKey } = theWorld().s3;
  const client = new S3Client({
    endpoint: `https://${address}:7070`,
    region: REGION,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: { httpsAgent: { rejectUnauthorized: false } },
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: 'cellar' }));
  } catch (error) {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  } finally {
    client.destroy();
  }
}
