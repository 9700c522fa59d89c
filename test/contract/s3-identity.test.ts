/**
 * Who a pod is to the cloud. The identity tokens, the roles and the policies are looked at by a real token service and a real
 * evaluation of policies (versitygw's); that AWS's own judge the same is not proved here.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { StoreAccess } from '../../src/api/task.ts';
import { probeStorage } from '../../src/storage/probe.ts';
import { openS3 } from '../../src/storage/s3.ts';
import { AMBIENT } from '../../src/storage/s3-identity.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { type Cloud, startCloud } from '../support/cloud.ts';
import { answeringProxy, s3Error } from '../support/runner-tcp-proxy.ts';

jest.setTimeout(120_000);

const BUCKET = 'acme-backups';
const QUICK = { attempts: 4, firstDelayMs: 10, longestDelayMs: 50 };
const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples', 'eks');
const example = (file: string) => readFileSync(join(EXAMPLES, file), 'utf8');

let cloud: Cloud;
let folder: string;
let roles: { readonly backup: string; readonly prune: string };
const before = { ...process.env };

/** Of the example, with the account and the issuer of this cloud. */
const trust = () =>
  example('trust-policy.json')
    .replaceAll('oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE', cloud.issuer)
    .replaceAll('111122223333', '000000000000');

beforeAll(async () => {
  cloud = await startCloud();
  folder = await mkdtemp(join(tmpdir(), 'holdfast-identity-'));
  await cloud.createBucket(BUCKET);
  const backup = { backup: example('policy-backup.json') };
  roles = {
    backup: await cloud.role('backup', trust(), backup),
    prune: await cloud.role('prune', trust(), { ...backup, prune: example('policy-prune.json') }),
  };
}, 600_000);

afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, before);
});

afterAll(async () => {
  await cloud?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What the webhook of EKS puts into a pod, and the address of a token service that is not AWS's. */
async function bePod(role: string, token: string, sts = cloud.sts): Promise<void> {
  const file = join(folder, 'token');
  await writeFile(file, token);
  Object.assign(process.env, {
    AWS_ROLE_ARN: role,
    AWS_WEB_IDENTITY_TOKEN_FILE: file,
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_STS: sts,
    AWS_EC2_METADATA_DISABLED: 'true',
  });
}

function open(access: Partial<StoreAccess> = {}): Storage {
  const whole = {
    endpoint: cloud.s3,
    region: cloud.region,
    bucket: BUCKET,
    prefix: 'prod',
    forcePathStyle: true,
    serviceAccount: 'holdfast-backup',
    ...access,
  };
  return openS3(whole, AMBIENT, { patience: QUICK, pieces: { pieceBytes: 5 * 1024 * 1024, parallel: 2 } });
}

async function listed(storage: Storage, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list(prefix)) keys.push(key);
  return keys;
}

const shop = () => cloud.token('shop', 'holdfast-backup');

describe('the role of the example, as its service account', () => {
  test('makes a backup possible: the store is tried, written to in pieces, and read back', async () => {
    await bePod(roles.backup, shop());
    using storage = open();
    expect(await probeStorage(storage, 'prod')).toEqual({ conditionalWrites: true });
    const upload = await storage.beginUpload('prod/v1/part');
    await upload.write(Buffer.alloc(6 * 1024 * 1024, 'x'));
    await upload.complete();
    expect(await storage.stat('prod/v1/part')).toMatchObject({ size: 6 * 1024 * 1024 });
    const begun = await storage.beginUpload('prod/v1/aborted');
    await begun.write(Buffer.alloc(6 * 1024 * 1024, 'x'));
    await begun.abort();
    expect(await listed(storage, 'prod/v1/')).toEqual(['prod/v1/.probe/probe.txt', 'prod/v1/part']);
  });

  test('tells what is not there from what is denied', async () => {
    await bePod(roles.backup, shop());
    using storage = open();
    expect(await storage.stat('prod/nothing')).toBeUndefined();
    await expect(storage.getSmall('prod/nothing', 10)).rejects.toMatchObject({ reason: 'ObjectNotFound' });
  });

  test('cannot delete', async () => {
    await bePod(roles.backup, shop());
    using storage = open();
    await storage.put('prod/kept', Buffer.from('kept'));
    await expect(storage.remove('prod/kept')).rejects.toMatchObject({ reason: 'StoreAccessDenied' });
    expect((await storage.getSmall('prod/kept', 10)).toString()).toBe('kept');
  });

  test('neither reads nor writes nor lists outside its prefix', async () => {
    await cloud.client.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'other/secret', Body: 'secret' }));
    await bePod(roles.backup, shop());
    using storage = open();
    const denied = { reason: 'StoreAccessDenied' };
    await expect(storage.getSmall('other/secret', 10)).rejects.toMatchObject(denied);
    await expect(storage.stat('other/secret')).rejects.toMatchObject(denied);
    await expect(storage.put('other/mine', Buffer.from('x'))).rejects.toMatchObject(denied);
    await expect(listed(storage, 'other/')).rejects.toMatchObject(denied);
    await expect(listed(storage, '')).rejects.toMatchObject(denied);
  });

  test('and with the second policy removes what retention lets go, below its prefix only', async () => {
    await cloud.client.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'other/kept', Body: 'kept' }));
    await bePod(roles.prune, shop());
    using storage = open();
    await storage.put('prod/old', Buffer.from('old'));
    await storage.remove('prod/old');
    expect(await storage.stat('prod/old')).toBeUndefined();
    await expect(storage.remove('other/kept')).rejects.toMatchObject({ reason: 'StoreAccessDenied' });
  });
});

describe('no role is given', () => {
  const put = (storage: Storage) => storage.put('prod/x', Buffer.from('x'));

  test.each([
    ['another service account', () => cloud.token('shop', 'default')],
    ['the same name in another namespace', () => cloud.token('elsewhere', 'holdfast-backup')],
    ['a token for another audience', () => cloud.token('shop', 'holdfast-backup', 'kubernetes')],
    ['a forged token', () => shop().replace(/.{20}$/, 'AAAAAAAAAAAAAAAAAAAA')],
  ])('to %s, and the failure names the role and what its trust policy must say', async (_, token) => {
    await bePod(roles.backup, token());
    using storage = open();
    const failure = await put(storage).catch((caught: unknown) => caught);
    expect(failure).toMatchObject({ reason: 'CloudIdentityRefused', outlook: 'retry' });
    expect((failure as Error).message).toContain(roles.backup);
    expect((failure as { hint?: string }).hint).toContain('system:serviceaccount:NAMESPACE:holdfast-backup');
    expect(JSON.stringify(failure)).not.toContain(token());
  });

  test('where the token service is ill: it is asked again, then said', async () => {
    let asked = 0;
    await using sts = await answeringProxy(cloud.sts, {
      before: () => {
        asked++;
        return { status: 503, body: s3Error('ServiceUnavailable') };
      },
    });
    await bePod(roles.backup, shop(), sts.url);
    using storage = open();
    await expect(put(storage)).rejects.toMatchObject({ reason: 'CloudIdentityUnreachable', outlook: 'retry' });
    expect(asked).toBeGreaterThan(QUICK.attempts);
  });

  test('where the token is not there', async () => {
    await bePod(roles.backup, shop());
    process.env['AWS_WEB_IDENTITY_TOKEN_FILE'] = join(folder, 'gone');
    using storage = open();
    await expect(put(storage)).rejects.toMatchObject({ reason: 'NoCloudIdentity', outlook: 'retry' });
  });

  test('where the cloud gave the pod none, and the node is not asked for its own', async () => {
    await bePod(roles.backup, shop());
    delete process.env['AWS_WEB_IDENTITY_TOKEN_FILE'];
    delete process.env['AWS_EC2_METADATA_DISABLED'];
    let asked = 0;
    await using metadata = await answering(() => {
      asked++;
      return {};
    });
    process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = metadata.url;
    expect(() => open()).toThrow(expect.objectContaining({ reason: 'NoCloudIdentity', outlook: 'retry' }));
    expect(asked).toBe(0);
  });
});

/** A server of one answer in JSON. */
async function answering(
  answer: (request: http.IncomingMessage) => object,
): Promise<AsyncDisposable & { url: string }> {
  const server = http.createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer(request)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The agent of EKS Pod Identity, faked: credentials of the root, for as long as the test says. */
describe('EKS Pod Identity', () => {
  async function beAssociatedPod(lifetimeMs: () => number) {
    const seen: { authorization: string | undefined }[] = [];
    const agent = await answering(({ headers }) => {
      seen.push({ authorization: headers.authorization });
      const { accessKeyId, secretAccessKey } = cloud.root;
      return {
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: '',
        Expiration: new Date(Date.now() + lifetimeMs()).toISOString(),
      };
    });
    const file = join(folder, 'pod-identity-token');
    await writeFile(file, 'the-token-of-the-pod');
    Object.assign(process.env, {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${agent.url}/v1/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
    });
    return Object.assign(agent, { seen });
  }

  test('gives credentials for the token of the pod, once', async () => {
    await using agent = await beAssociatedPod(() => 3_600_000);
    using storage = open();
    for (let n = 0; n < 3; n++) await storage.put('prod/pod-identity', Buffer.from('x'));
    expect(agent.seen).toEqual([{ authorization: 'the-token-of-the-pod' }]);
  });

  test('is asked again before they end, so that a backup may take longer than they last', async () => {
    await using agent = await beAssociatedPod(() => 60_000);
    using storage = open();
    for (let n = 0; n < 3; n++) await storage.put('prod/pod-identity', Buffer.from('x'));
    expect(agent.seen.length).toBeGreaterThan(1);
  });
});

describe('credentials that end', () => {
  test('are replaced while an upload is under way: what the token service gives last is used', async () => {
    let sessions = 0;
    // In front of the token service: sessions that end at once, as seen from here.
    await using sts = await answeringProxy(cloud.sts, {
      change: (_, body) => {
        sessions++;
        // Of the same length as what it replaces.
        const soon = new Date(Date.now() + 30_000).toISOString().replace(/\.\d+/, '');
        return Buffer.from(body.toString().replace(/<Expiration>[^<]*/, `<Expiration>${soon}`));
      },
    });
    await bePod(roles.backup, shop(), sts.url);
    using storage = open();
    const upload = await storage.beginUpload('prod/v1/long');
    for (let n = 0; n < 4; n++) await upload.write(Buffer.alloc(5 * 1024 * 1024, 'x'));
    await upload.complete();
    expect(sessions).toBeGreaterThan(1);
  });

  test('and are refused by the store are told as such', async () => {
    await using s3 = await answeringProxy(cloud.s3, { before: () => ({ status: 400, body: s3Error('ExpiredToken') }) });
    await bePod(roles.backup, shop());
    using storage = open({ endpoint: s3.url });
    await expect(storage.put('prod/x', Buffer.from('x'))).rejects.toMatchObject({
      reason: 'StoreCredentialsInvalid',
      hint: expect.stringContaining('for the service account'),
    });
  });
});
