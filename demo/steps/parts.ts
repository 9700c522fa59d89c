/** The world before Holdfast: a PostgreSQL with data, an S3 server with a bucket, and an app that writes. */
import { randomBytes } from 'node:crypto';
import { type BucketAccess, withBucket } from '../bucket.ts';
import { count, seed, sql } from '../database.ts';
import { example } from '../examples.ts';
import type { Kubectl } from '../kubectl.ts';
import {
  APP,
  app,
  DATABASE,
  type Images,
  LOGIN,
  NAMESPACE,
  namespace,
  postgres,
  REPLICAS,
  STORE_SECRET,
  SUPERUSER_SECRET,
  s3,
  secret,
} from '../objects.ts';
import { Problem } from '../problem.ts';
import { during, proof, tell, title } from '../say.ts';
import { pause } from '../settled.ts';

const CUSTOMERS = 100_000;

export async function makeNamespace(kubectl: Kubectl): Promise<void> {
  const phase = (await kubectl.get<{ status?: { phase?: string } }>('namespace', NAMESPACE))?.status?.phase;
  if (phase === 'Terminating') {
    await during(`waiting until the old namespace ${NAMESPACE} is gone`, () =>
      kubectl.call(['wait', '--for=delete', `namespace/${NAMESPACE}`, '--timeout=180s']),
    );
  }
  await kubectl.apply([namespace()]);
}

export async function startParts(kubectl: Kubectl, images: Images): Promise<void> {
  title('A database, a bucket and an app');
  tell(
    `In the namespace ${NAMESPACE}, which enforces the restricted PodSecurity level: PostgreSQL 17, an S3 server (versitygw), and ${APP}, a Deployment with ${REPLICAS} replicas that write orders twice a second.`,
  );
  const login = await keptSecret(kubectl, LOGIN.secret, () => ({ username: LOGIN.role, password: word() }));
  const credentials = await keptSecret(kubectl, STORE_SECRET, () => ({
    AWS_ACCESS_KEY_ID: word(),
    AWS_SECRET_ACCESS_KEY: word(),
  }));
  await keptSecret(kubectl, SUPERUSER_SECRET, () => ({ password: word() }));

  await kubectl.apply([...postgres(images.postgres), ...s3(images.s3)]);
  await during('starting PostgreSQL', () => started(kubectl, 'postgres'));
  await during('starting the S3 server', () => started(kubectl, 's3'));
  const access = await bucketAccess(credentials);
  await withBucket(kubectl, access, (bucket) => bucket.make());
  await during(`filling the database with ${CUSTOMERS.toLocaleString('en')} customers`, async () => {
    await makeDatabase(kubectl, login['password'] ?? '');
    await seed(kubectl, CUSTOMERS);
  });
  await kubectl.apply(app(images.postgres));
  await during(`starting ${APP}`, () => started(kubectl, APP));
  await during('waiting for its first orders', () => ordersBeyond(kubectl, 0));
  proof(`${REPLICAS} replicas write to database ${DATABASE}; the bucket ${access.bucket} is ready.`);
}

/** What the Secret of an earlier run holds is what its servers were started with, so it stays. */
async function keptSecret(
  kubectl: Kubectl,
  name: string,
  make: () => Record<string, string>,
): Promise<Record<string, string>> {
  const kept = await kubectl.get<{ data: Record<string, string> }>('secret', name);
  if (kept === undefined) {
    const values = make();
    await kubectl.apply([secret(name, values)]);
    return values;
  }
  return Object.fromEntries(
    Object.entries(kept.data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  );
}

const word = () => randomBytes(16).toString('hex');

/** Bucket and region as the BackupStore of the example says. */
async function bucketAccess(credentials: Record<string, string>): Promise<BucketAccess> {
  const { s3 } = (await example('postgresql.yaml', 'BackupStore')).spec;
  return {
    bucket: s3.bucket,
    region: s3.region,
    accessKeyId: credentials['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: credentials['AWS_SECRET_ACCESS_KEY'] ?? '',
  };
}

export async function storedAccess(kubectl: Kubectl): Promise<BucketAccess> {
  return bucketAccess(await keptSecret(kubectl, STORE_SECRET, () => ({})));
}

/** A plain role with the rights that a restore needs, and no more: it is no superuser. */
async function makeDatabase(kubectl: Kubectl, password: string): Promise<void> {
  await sql(
    kubectl,
    `SELECT 'CREATE ROLE ${LOGIN.role}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${LOGIN.role}') \\gexec
     ALTER ROLE ${LOGIN.role} LOGIN CREATEDB PASSWORD '${password}';
     GRANT pg_signal_backend TO ${LOGIN.role};
     SELECT 'CREATE DATABASE ${DATABASE} OWNER ${LOGIN.role}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '${DATABASE}') \\gexec`,
    { role: 'postgres', database: 'postgres' },
  );
}

async function started(kubectl: Kubectl, deployment: string): Promise<void> {
  await kubectl.rolledOut(deployment).catch(async (cause: unknown) => {
    const pods = await kubectl.call(['describe', 'pods', '-l', `app=${deployment}`]).catch(() => '');
    throw new Problem(
      `${deployment} does not get ready within three minutes.`,
      `kubectl -n ${NAMESPACE} describe pods`,
      {
        facts: pods.split('\n').slice(-25).join('\n'),
        cause,
      },
    );
  });
}

const ORDERS_DEADLINE_MS = 60_000;

/** Returns once there are orders with a number above `id`: the app writes. */
export async function ordersBeyond(kubectl: Kubectl, id: number): Promise<void> {
  const until = performance.now() + ORDERS_DEADLINE_MS;
  while ((await count(kubectl, `SELECT count(*) FROM orders WHERE id > ${id}`)) === 0) {
    if (performance.now() > until) {
      const log = await kubectl.call(['logs', `deployment/${APP}`, '--tail=5']).catch(() => '');
      throw new Problem(`${APP} writes no orders.`, `kubectl -n ${NAMESPACE} logs deployment/${APP}`, { facts: log });
    }
    await pause(500);
  }
}
