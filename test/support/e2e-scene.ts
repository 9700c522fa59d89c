/** The scene of one test: a namespace that enforces the restricted level, with a database, a store, a key and an app of its own. */
import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { Kubectl } from '../../demo/kubectl.ts';
import { secret } from '../../demo/objects.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import { takeTurn } from './e2e-turn.ts';
import { kubectlIn, openSession, REGION, S3_ENDPOINT, type Session, s3Client, sql, theWorld } from './e2e-world.ts';

// Every file of tests has a scene.
await takeTurn();

export const REPLICAS = 3;

export interface Scene extends AsyncDisposable {
  readonly namespace: string;
  readonly kubectl: Kubectl;
  readonly database: string;
  readonly login: { readonly role: string; readonly password: string };
  readonly bucket: string;
  readonly s3: S3Client;
  /** The private key, which no object of the cluster holds until a test puts it there. */
  readonly identity: string;
  readonly recipient: string;
  /** A session in the database as the role that owns it. */
  open(): Promise<Session>;
}

interface Wishes {
  readonly database?: string;
  /** Rows of the larger table; each is about 150 bytes in a dump. */
  readonly rows?: number;
  /** Rights of the role beyond owning its database; a restore needs both. */
  readonly rights?: readonly ('CREATEDB' | 'pg_signal_backend')[];
  readonly without?: readonly ('bucket' | 'key' | 'app')[];
}

/** Quoted as an SQL identifier. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export async function aScene(name: string, wishes: Wishes = {}): Promise<Scene> {
  // Another one in each run: nothing has to be gone first.
  const namespace = `e2e-${name}-${randomBytes(3).toString('hex')}`;
  const kubectl = kubectlIn(namespace);
  const identity = await generateX25519Identity();
  const scene = {
    namespace,
    kubectl,
    database: wishes.database ?? namespace,
    // The colons and quotes would come apart in a password file that is not escaped.
    login: { role: namespace, password: `canary:pass\\word'"$ ${randomBytes(12).toString('hex')}` },
    bucket: namespace,
    s3: s3Client(),
    identity,
    recipient: await identityToRecipient(identity),
    open: () => openSession(scene.database, scene.login),
    [Symbol.asyncDispose]: async () => {
      scene.s3.destroy();
      await kubectl.call(['delete', 'namespace', namespace, '--wait=false', '--ignore-not-found']);
    },
  };
  const without = wishes.without ?? [];
  await Promise.all([
    makeDatabase(scene, wishes.rows ?? 2_000, wishes.rights ?? ['CREATEDB', 'pg_signal_backend']),
    without.includes('bucket') ? undefined : makeBucket(scene),
    kubectl.apply([
      labelled(namespace),
      secret('database-login', { username: scene.login.role, password: scene.login.password }),
      secret('store-credentials', storeCredentials()),
      aStore(scene),
      ...(without.includes('key') ? [] : [aKey(scene)]),
      ...(without.includes('app') ? [] : [anApp()]),
    ]),
  ]);
  if (!without.includes('app')) await kubectl.rolledOut('app');
  return scene;
}

export async function makeBucket(scene: Pick<Scene, 's3' | 'bucket'>): Promise<void> {
  await scene.s3.send(new CreateBucketCommand({ Bucket: scene.bucket })).catch((error: Error) => {
    if (error.name !== 'BucketAlreadyOwnedByYou') throw error;
  });
}

/** The keys in the scene's bucket, and the uploads that were begun and not ended. */
export async function contentOf(scene: Scene): Promise<{ keys: string[]; uploads: string[] }> {
  const objects = await scene.s3.send(new ListObjectsV2Command({ Bucket: scene.bucket }));
  const uploads = await scene.s3.send(new ListMultipartUploadsCommand({ Bucket: scene.bucket }));
  return {
    keys: (objects.Contents ?? []).map(({ Key }) => Key ?? ''),
    uploads: (uploads.Uploads ?? []).map(({ Key }) => Key ?? ''),
  };
}

function storeCredentials(): Record<string, string> {
  const { accessKeyId, secretAccessKey } = theWorld().s3;
  return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
}

/** Tables with what tends to get lost: references, sequences, types, text that needs quoting, bytes, a view. */
async function makeDatabase(scene: Scene, rows: number, rights: readonly string[]): Promise<void> {
  const { database, login } = scene;
  const leftOver = await sql<{ datname: string }>(
    'postgres',
    'SELECT datname FROM pg_database WHERE datname = $1 OR pg_get_userbyid(datdba) = $2',
    [database, login.role],
  );
  for (const { datname } of leftOver) await sql('postgres', `DROP DATABASE ${quoted(datname)} WITH (FORCE)`);
  await sql('postgres', `DROP ROLE IF EXISTS ${quoted(login.role)}`);
  const createDb = rights.includes('CREATEDB') ? 'CREATEDB' : '';
  await sql(
    'postgres',
    `CREATE ROLE ${quoted(login.role)} LOGIN ${createDb} PASSWORD '${login.password.replaceAll("'", "''")}'`,
  );
  if (rights.includes('pg_signal_backend')) await sql('postgres', `GRANT pg_signal_backend TO ${quoted(login.role)}`);
  await sql('postgres', `CREATE DATABASE ${quoted(database)} OWNER ${quoted(login.role)}`);
  await using session = await scene.open();
  await session.rows(`
    CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL, note text, photo bytea, tags jsonb, since timestamptz DEFAULT now());
    INSERT INTO customers (name, note, photo, tags)
      SELECT 'customer ' || n, E'it''s "quoted",\\n\\ttabbed, \\\\ and 🐘', decode(md5(n::text), 'hex'), jsonb_build_object('n', n)
      FROM generate_series(1, 500) n;
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer integer REFERENCES customers, filler text);
    INSERT INTO orders (customer, filler)
      SELECT 1 + n % 500, md5(random()::text) || md5(random()::text) || md5(random()::text) || md5(random()::text)
      FROM generate_series(1, ${rows}) n;
    CREATE INDEX ON orders (customer);
    CREATE VIEW orders_by_customer AS SELECT customer, count(*) FROM orders GROUP BY customer;
  `);
}

function labelled(namespace: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  };
}

export function aStore(scene: Pick<Scene, 'bucket'>): object {
  return {
    apiVersion: API_VERSION,
    kind: 'BackupStore',
    metadata: { name: 'store' },
    spec: {
      s3: {
        endpoint: S3_ENDPOINT,
        region: REGION,
        bucket: scene.bucket,
        prefix: 'prod',
        forcePathStyle: true,
        credentials: { secretRef: { name: 'store-credentials' } },
      },
    },
  };
}

export function aKey(scene: Pick<Scene, 'recipient'>): object {
  return {
    apiVersion: API_VERSION,
    kind: 'BackupKey',
    metadata: { name: 'key' },
    spec: { default: true, recipients: [scene.recipient] },
  };
}

/** Three pods that do nothing: whether they are there is all that counts. */
function anApp(): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'app' },
    spec: {
      replicas: REPLICAS,
      selector: { matchLabels: { app: 'app' } },
      template: {
        metadata: { labels: { app: 'app' } },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 1,
          securityContext: { runAsNonRoot: true, runAsUser: 65534, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'app',
              image: theWorld().postgresImage,
              imagePullPolicy: 'IfNotPresent',
              // The first process of a container hears no SIGTERM unless it says so.
              command: ['sh', '-c', 'trap exit TERM; sleep infinity & wait'],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      },
    },
  };
}
