/** A real S3 server on this machine: versitygw on a folder. It ends with this process. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { freePorts } from './ports.ts';
import { program } from './programs.ts';
import { answersHttp, answersHttps } from './ready.ts';
import { memoryDir } from './temp-dir.ts';
import { lastLinesOf, startTied, type TiedProcess } from './tied-process.ts';
import { waitFor } from './wait.ts';

export interface LocalS3 {
  /** A URL without a path. */
  endpoint: string;
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  /** The server's folder: `data` holds a folder per bucket, `versions` older versions, `versitygw.log` what it says. */
  dir: string;
  createBucket(name: string, options?: BucketOptions): Promise<void>;
  /** Kills the server and starts it again on the same address and data, as after a crash. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

interface BucketOptions {
  versioning?: boolean;
  /** Object Lock, which includes versioning. */
  objectLock?: boolean;
}

export interface LocalS3Options {
  /** Where to listen: loopback, or an address that pods reach, such as `hostAddress` of a cluster. */
  address?: string;
  /** Files in PEM: speak TLS with this certificate. `authority` signed it. */
  tls?: { readonly certificate: string; readonly key: string; readonly authority: string };
}

const REGION = 'us-east-1';

/** Starts one, ready and without buckets. Several can run at once. */
export async function localS3(options: LocalS3Options = {}): Promise<LocalS3> {
  const address = options.address ?? '127.0.0.1';
  const executable = await program('versitygw');
  const [port] = (await freePorts(1, address)) as [number];
  const endpoint = `${options.tls === undefined ? 'http' : 'https'}://${address}:${port}`;
  const credentials = { accessKeyId: 'holdfast-root', secretAccessKey: randomBytes(20).toString('hex') };
  const dir = await memoryDir('s3');
  for (const folder of ['data', 'versions', 'iam']) await mkdir(join(dir, folder));

  const start = () => startGateway(executable, { dir, endpoint, credentials, tls: options.tls });
  let server = await start();
  const requestHandler =
    options.tls === undefined ? {} : { httpsAgent: { ca: await readFile(options.tls.authority, 'utf8') } };
  const client = new S3Client({ endpoint, region: REGION, credentials, forcePathStyle: true, requestHandler });
  return {
    endpoint,
    ...credentials,
    region: REGION,
    dir,
    createBucket: (name, bucket) => createBucket(client, name, bucket),
    async crash() {
      await server.stop('SIGKILL');
      server = await start();
    },
    async stop() {
      client.destroy();
      await server.stop('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

interface Gateway {
  dir: string;
  endpoint: string;
  credentials: Credentials;
  tls: LocalS3Options['tls'];
}

async function startGateway(executable: string, { dir, endpoint, credentials, tls }: Gateway): Promise<TiedProcess> {
  const log = join(dir, 'versitygw.log');
  const encrypted = tls === undefined ? [] : ['--cert', tls.certificate, '--key', tls.key];
  const server = startTied(executable, [...encrypted, ...gatewayFlags(dir, new URL(endpoint).host)], {
    log,
    // In the environment, so that the secret is in nobody's list of processes.
    env: {
      ...process.env,
      ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
      ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
  });
  const answers = tls === undefined ? answersHttp : answersHttps;
  await waitFor(() => answers(`${endpoint}/healthz`), {
    timeoutMs: 30_000,
    everyMs: 30,
    hopeless: () => !server.running(),
    otherwise: () => `versitygw did not become ready:\n${lastLinesOf(log)}\nNext: read ${log}`,
  });
  return server;
}

function gatewayFlags(dir: string, hostAndPort: string): string[] {
  return [
    ...['--port', hostAndPort, '--health', '/healthz', '--region', REGION, '--quiet'],
    ...['--iam-dir', join(dir, 'iam')],
    ...['posix', '--versioning-dir', join(dir, 'versions'), join(dir, 'data')],
  ];
}

async function createBucket(client: S3Client, name: string, options: BucketOptions = {}): Promise<void> {
  const { versioning = false, objectLock = false } = options;
  await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: objectLock }));
  if (!versioning) return;
  await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: { Status: 'Enabled' } }));
}
