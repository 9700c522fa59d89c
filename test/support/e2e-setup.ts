/**
 * Before the tests in a cluster: it, the operator by its chart, one PostgreSQL and one S3 server. What is up already is used. Who runs the tiers takes the
 * cluster down: scripts/test.ts.
 */
import { randomBytes } from 'node:crypto';
import { Kubectl } from '../../demo/kubectl.ts';
import { postgres, STORE_SECRET, SUPERUSER_SECRET, s3, secret } from '../../demo/objects.ts';
import { upCluster } from '../cluster/cluster.ts';
import { holdfastImage, postgresImage, s3Image } from '../cluster/images.ts';
import { program } from '../cluster/programs.ts';
import { installRelease } from './e2e-release.ts';
import { E2E_CLUSTER, publishWorld, WORLD_NAMESPACE, type World } from './e2e-world.ts';

export default async function setUp(): Promise<void> {
  publishWorld(await makeWorld());
}

async function makeWorld(): Promise<World> {
  const cluster = await upCluster({ number: E2E_CLUSTER });
  const images = { holdfast: await holdfastImage(), postgres: await postgresImage(), s3: await s3Image() };
  for (const image of Object.values(images)) await cluster.importImage(image);
  const { kubeconfig, kubectl } = cluster;
  await Promise.all([
    installRelease({ kubectl, kubeconfig, image: images.holdfast.name }),
    startServers(new Kubectl(kubectl, kubeconfig, WORLD_NAMESPACE), images.postgres.name, images.s3.name),
  ]);
  const world = await describe(kubectl, kubeconfig, images.postgres.name);
  return { ...world, holdfastImage: images.holdfast.name };
}

async function startServers(kubectl: Kubectl, postgresImage: string, s3Image: string): Promise<void> {
  await kubectl.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: WORLD_NAMESPACE } }]);
  // What an earlier run's Secrets hold is what its servers were started with.
  if ((await kubectl.get('secret', SUPERUSER_SECRET)) === undefined) {
    await kubectl.apply([
      secret(STORE_SECRET, { AWS_ACCESS_KEY_ID: word(), AWS_SECRET_ACCESS_KEY: `canary/${word()}` }),
      secret(SUPERUSER_SECRET, { password: word() }),
    ]);
  }
  await kubectl.apply([...postgres(postgresImage), ...s3(s3Image)]);
  await Promise.all([kubectl.rolledOut('postgres'), kubectl.rolledOut('s3')]);
}

const word = () => randomBytes(16).toString('hex');

async function describe(
  kubectl: string,
  kubeconfig: string,
  postgresImage: string,
): Promise<Omit<World, 'holdfastImage'>> {
  const world = new Kubectl(kubectl, kubeconfig, WORLD_NAMESPACE);
  const store = await valuesOf(world, STORE_SECRET);
  return {
    kubeconfig,
    programs: { kubectl, age: await program('age') },
    postgresImage,
    postgres: {
      address: await addressOf(world, 'postgres'),
      superuserPassword: (await valuesOf(world, SUPERUSER_SECRET))['password'] ?? '',
    },
    s3: {
      address: `http://${await addressOf(world, 's3')}:7070`,
      accessKeyId: store['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: store['AWS_SECRET_ACCESS_KEY'] ?? '',
    },
  };
}

async function valuesOf(kubectl: Kubectl, name: string): Promise<Record<string, string>> {
  const found = await kubectl.get<{ data: Record<string, string> }>('secret', name);
  const entries = Object.entries(found?.data ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}

async function addressOf(kubectl: Kubectl, service: string): Promise<string> {
  const found = await kubectl.get<{ spec: { clusterIP: string } }>('service', service);
  if (found === undefined) throw new Error(`there is no Service ${service}`);
  return found.spec.clusterIP;
}
