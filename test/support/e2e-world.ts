/** What all end-to-end tests share: the cluster, one PostgreSQL, one S3 server. Made by e2e-setup.ts. */
import { S3Client } from '@aws-sdk/client-s3';
import pg from 'pg';
import { Kubectl } from '../../demo/kubectl.ts';

export const WORLD_NAMESPACE = 'holdfast-e2e';
export const OPERATOR_NAMESPACE = 'holdfast-system';

/** The number of the cluster: another one than the demo's, so that both can run. */
export const E2E_CLUSTER = 2;

/** The part of every archive's path that says which cluster wrote it. */
export const CLUSTER_NAME = 'e2e';

export const POSTGRES_HOST = `postgres.${WORLD_NAMESPACE}.svc`;
export const S3_ENDPOINT = `http://s3.${WORLD_NAMESPACE}.svc:7070`;
export const REGION = 'us-east-1';

export interface World {
  readonly kubeconfig: string;
  readonly programs: { readonly kubectl: string; readonly age: string };
  /** Of the operator. */
  readonly holdfastImage: string;
  /** Has PostgreSQL's programs, and a shell. */
  readonly postgresImage: string;
  /** Addresses that this machine reaches the Services by. */
  readonly postgres: { readonly address: string; readonly superuserPassword: string };
  readonly s3: { readonly address: string; readonly accessKeyId: string; readonly secretAccessKey: string };
}

const VARIABLE = 'HOLDFAST_E2E_WORLD';

export function publishWorld(world: World): void {
  process.env[VARIABLE] = JSON.stringify(world);
}

export function theWorld(): World {
  const text = process.env[VARIABLE];
  if (text === undefined) throw new Error('there is no cluster yet: run the tests by npm run test:e2e');
  return JSON.parse(text);
}

export function kubectlIn(namespace: string, world = theWorld()): Kubectl {
  return new Kubectl(world.programs.kubectl, world.kubeconfig, namespace);
}

export interface Session extends AsyncDisposable {
  rows<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
}

export interface Login {
  readonly role: string;
  readonly password: string;
}

/** How to connect to the shared PostgreSQL; as its superuser where no role is named. */
export function connectionTo(database: string, login?: Login): pg.ClientConfig {
  const { postgres } = theWorld();
  return {
    host: postgres.address,
    database,
    user: login?.role ?? 'postgres',
    password: login?.password ?? postgres.superuserPassword,
    connectionTimeoutMillis: 10_000,
  };
}

export async function openSession(database: string, login?: Login): Promise<Session> {
  const client = new pg.Client(connectionTo(database, login));
  // A session that a swap ends tells so in its next query; unheard, the event would end the process.
  client.on('error', () => undefined);
  await client.connect();
  return {
    async rows<Row extends object>(sql: string, values: readonly unknown[] = []) {
      return (await client.query<Row>(sql, [...values])).rows;
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}

/** One statement or several, in a session of their own. */
export async function sql<Row extends object>(
  database: string,
  text: string,
  values?: readonly unknown[],
): Promise<Row[]> {
  await using session = await openSession(database);
  return await session.rows<Row>(text, values);
}

export function s3Client(): S3Client {
  const { s3 } = theWorld();
  return new S3Client({
    endpoint: s3.address,
    region: REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
  });
}
