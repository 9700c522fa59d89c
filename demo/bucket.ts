/** A look into the bucket from outside the cluster, as anybody with its credentials has. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import type { Kubectl } from './kubectl.ts';
import { S3_PORT } from './objects.ts';
import { Problem } from './problem.ts';

export interface BucketAccess {
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface StoredObject {
  readonly key: string;
  readonly size: number;
}

export interface Bucket {
  /** Makes it where there is none. */
  make(): Promise<void>;
  list(): Promise<readonly StoredObject[]>;
  /** The first bytes of an object. */
  beginning(key: string, bytes: number): Promise<Buffer>;
}

const TUNNEL_SECONDS = 20;

/** Calls `work` with the bucket, by a tunnel (`kubectl port-forward`) that is closed afterwards. */
export async function withBucket<T>(
  kubectl: Kubectl,
  access: BucketAccess,
  work: (bucket: Bucket) => Promise<T>,
): Promise<T> {
  const tunnel = spawn(
    kubectl.program,
    ['--kubeconfig', kubectl.kubeconfig, '--namespace', kubectl.namespace, 'port-forward', 'service/s3', `:${S3_PORT}`],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const gone = new Promise<void>((resolve) => tunnel.once('close', () => resolve()));
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${await portOf(tunnel)}`,
    region: access.region,
    forcePathStyle: true,
    credentials: { accessKeyId: access.accessKeyId, secretAccessKey: access.secretAccessKey },
  });
  try {
    return await work(bucketOf(client, access.bucket));
  } finally {
    client.destroy();
    tunnel.kill();
    await gone;
  }
}

/** kubectl picks a free port and says which. */
function portOf(tunnel: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (why: string) => {
      clearTimeout(timer);
      tunnel.kill();
      reject(new Problem(`kubectl port-forward to the S3 server failed: ${why}`, 'Run the demo again.'));
    };
    const timer = setTimeout(() => fail(`no answer within ${TUNNEL_SECONDS} s`), TUNNEL_SECONDS * 1000);
    tunnel.once('error', (error) => fail(error.message));
    tunnel.once('exit', () => fail(said.trim()));
    tunnel.stderr?.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    tunnel.stdout?.on('data', (chunk: Buffer) => {
      said += chunk;
      const port = said.match(/Forwarding from 127\.0\.0\.1:(\d+)/)?.[1];
      if (port === undefined) return;
      clearTimeout(timer);
      resolve(Number(port));
    });
  });
}

function bucketOf(client: S3Client, bucket: string): Bucket {
  return {
    async make() {
      const exists = await client.send(new HeadBucketCommand({ Bucket: bucket })).then(
        () => true,
        () => false,
      );
      if (!exists) await client.send(new CreateBucketCommand({ Bucket: bucket }));
    },
    async list() {
      const page = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
      return (page.Contents ?? []).map((object) => ({ key: object.Key ?? '', size: object.Size ?? 0 }));
    },
    async beginning(key, bytes) {
      const range = `bytes=0-${bytes - 1}`;
      const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range: range }));
      return Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
    },
  };
}
