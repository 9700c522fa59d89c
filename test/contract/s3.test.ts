import { randomBytes } from 'node:crypto';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { StoreAccess } from '../../src/api/task.ts';
import { probeStorage } from '../../src/storage/probe.ts';
import type { Patience } from '../../src/storage/retry.ts';
import { openS3, type S3Options } from '../../src/storage/s3.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { type LocalS3, localS3 } from '../cluster/versitygw.ts';
import { answeringProxy, breakingProxy, s3Error } from '../support/runner-tcp-proxy.ts';
import { collect } from '../support/runner-vectors.ts';
import { storageContract } from './storage-contract.ts';

jest.setTimeout(120_000);

const MIB = 1024 * 1024;
/** The least that S3 allows of a piece that is not the last. */
const PIECES = { pieceBytes: 5 * MIB, parallel: 3 };
const QUICK: Patience = { attempts: 6, firstDelayMs: 10, longestDelayMs: 100 };
const BUCKET = 'holdfast-contract';
const VERSIONED = 'holdfast-versioned';

let server: LocalS3;
let client: S3Client;
let prefixes = 0;
const opened: Storage[] = [];

beforeAll(async () => {
  server = await localS3();
  await server.createBucket(BUCKET);
  await server.createBucket(VERSIONED, { versioning: true });
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  client = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
}, 600_000);

afterAll(async () => {
  for (const storage of opened) storage[Symbol.dispose]();
  client.destroy();
  await server.stop();
});

function open(access: Partial<StoreAccess> = {}, options: S3Options = {}, secret = server.secretAccessKey): Storage {
  const storage = openS3(
    {
      endpoint: server.endpoint,
      region: server.region,
      bucket: BUCKET,
      prefix: '',
      forcePathStyle: true,
      secret: 's3-login',
      ...access,
    },
    { accessKeyId: server.accessKeyId, secretAccessKey: secret },
    { pieces: PIECES, patience: QUICK, ...options },
  );
  opened.push(storage);
  return storage;
}

const newPrefix = () => `test-${prefixes++}`;

async function unfinished(prefix: string, bucket = BUCKET): Promise<string[]> {
  const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  return (Uploads ?? []).map(({ Key }) => Key ?? '').filter((key) => key.startsWith(prefix));
}

storageContract('a bucket', {
  open: () => ({ storage: open(), prefix: newPrefix() }),
  pieceBytes: PIECES.pieceBytes,
  unfinished,
});

storageContract('a bucket with versions', {
  open: () => ({ storage: open({ bucket: VERSIONED }), prefix: newPrefix() }),
  pieceBytes: PIECES.pieceBytes,
  unfinished: (prefix) => unfinished(prefix, VERSIONED),
});

describe('versions', () => {
  test('an object is read by its version, also after somebody overwrote it', async () => {
    const storage = open({ bucket: VERSIONED });
    const key = `${newPrefix()}/versioned`;
    const upload = await storage.beginUpload(key);
    await upload.write(Buffer.from('the first'));
    const { versionId } = await upload.complete();
    await storage.put(key, Buffer.from('something else'));
    expect(versionId).toBeDefined();
    expect((await storage.getSmall(key, 100, versionId)).toString()).toBe('the first');
  });
});

describe('uploads that wait for others', () => {
  test('share a few buffers, however many they are', async () => {
    const storage = open();
    const prefix = newPrefix();
    const before = process.memoryUsage().arrayBuffers;
    const uploads = [];
    for (let n = 0; n < 24; n += 1) {
      const upload = await storage.beginUpload(`${prefix}/${n}`);
      await upload.write(Buffer.from(`database ${n}`));
      await upload.rest();
      uploads.push(upload);
    }
    // A buffer each would be 120 MiB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan((PIECES.parallel + 2) * PIECES.pieceBytes);
    for (const upload of uploads) await upload.complete();
    expect((await storage.getSmall(`${prefix}/23`, 100)).toString()).toBe('database 23');
  });
});

describe('connections that break', () => {
  test.each([0, 100, 2 * MIB, 5 * MIB - 1])('while a piece is sent, after %d bytes, cost nothing', async (bytes) => {
    await using proxy = await breakingProxy(server.endpoint, {
      afterSent: (connection) => (connection > 0 && connection % 2 === 1 ? bytes : undefined),
    });
    const storage = open({ endpoint: proxy.url }, { patience: { ...QUICK, attempts: 12 } });
    const key = `${newPrefix()}/cut`;
    const body = randomBytes(12 * MIB);
    const upload = await storage.beginUpload(key);
    await upload.write(body);
    expect(await upload.complete()).toMatchObject({ size: body.length });
    expect((await collect(await open().get(key))).equals(body)).toBe(true);
  });

  test.each([1, 300, 70_000, 3 * MIB])(
    'while an object is read, after %d bytes of each connection, cost nothing',
    async (bytes) => {
      const key = `${newPrefix()}/read`;
      const body = randomBytes(bytes < MIB ? 400_000 : 10 * MIB);
      await open().put(key, body);
      // The head of an answer counts as well; a connection that broke within it is tried again.
      await using proxy = await breakingProxy(server.endpoint, {
        afterReceived: (connection) => (connection % 3 === 2 ? undefined : bytes + 500 * (connection % 2)),
      });
      const read = await collect(await open({ endpoint: proxy.url }).get(key));
      expect(read.equals(body)).toBe(true);
    },
  );

  test('and never get anywhere are given up, with the reason', async () => {
    const key = `${newPrefix()}/hopeless`;
    await open().put(key, randomBytes(500_000));
    await using proxy = await breakingProxy(server.endpoint, { afterReceived: () => 1500 });
    const reading = async () => collect(await open({ endpoint: proxy.url }).get(key));
    await expect(reading()).rejects.toMatchObject({ reason: 'StoreUnreachable', outlook: 'retry' });
  });

  test('when the completion is answered cost nothing: the object is there', async () => {
    await using proxy = await answeringProxy(server.endpoint, {
      after: ({ method, path, times }) =>
        method === 'POST' && path.includes('uploadId=') && times === 0 ? 'cut' : undefined,
    });
    const storage = open({ endpoint: proxy.url });
    const key = `${newPrefix()}/lost-answer`;
    const upload = await storage.beginUpload(key);
    await upload.write(Buffer.from('whole'));
    expect(await upload.complete()).toMatchObject({ key, size: 5 });
  });

  test('when the beginning is answered leave no second upload behind an abort', async () => {
    await using proxy = await answeringProxy(server.endpoint, {
      after: ({ method, path, times }) =>
        method === 'POST' && path.includes('uploads') && times === 0 ? 'cut' : undefined,
    });
    const prefix = newPrefix();
    const upload = await open({ endpoint: proxy.url }).beginUpload(`${prefix}/twin`);
    expect(await unfinished(prefix)).toHaveLength(2);
    await upload.abort();
    expect(await unfinished(prefix)).toEqual([]);
  });
});

describe('a server that answers badly', () => {
  test('with 503 to every third request still gets everything', async () => {
    let requests = 0;
    await using proxy = await answeringProxy(server.endpoint, {
      before: () => (requests++ % 3 === 1 ? { status: 503, body: s3Error('SlowDown') } : undefined),
    });
    const key = `${newPrefix()}/slow-down`;
    const body = randomBytes(17 * MIB);
    const upload = await open({ endpoint: proxy.url }).beginUpload(key);
    await upload.write(body);
    await upload.complete();
    expect((await collect(await open({ endpoint: proxy.url }).get(key))).equals(body)).toBe(true);
  });

  test('with success and an error in it to a completion has not completed', async () => {
    await using proxy = await answeringProxy(server.endpoint, {
      before: ({ method, path }) =>
        method === 'POST' && path.includes('uploadId=') ? { status: 200, body: s3Error('InternalError') } : undefined,
    });
    const prefix = newPrefix();
    const upload = await open({ endpoint: proxy.url }).beginUpload(`${prefix}/not-really`);
    await upload.write(Buffer.from('x'));
    await expect(upload.complete()).rejects.toMatchObject({ reason: 'StoreUnreachable' });
    await upload.abort();
    expect(await unfinished(prefix)).toEqual([]);
  });

  test('with fewer bytes than were sent is found out', async () => {
    await using proxy = await answeringProxy(server.endpoint, {
      before: ({ method }) => (method === 'HEAD' ? { status: 200, headers: { 'content-length': '3' } } : undefined),
    });
    const upload = await open({ endpoint: proxy.url }).beginUpload(`${newPrefix()}/short`);
    await upload.write(Buffer.from('four'));
    await expect(upload.complete()).rejects.toThrow('has 3 bytes where 4 were sent');
  });

  test('with the entity tag of other bytes is not believed', async () => {
    await using proxy = await answeringProxy(server.endpoint, {
      before: ({ method }) =>
        method === 'PUT' ? { status: 200, headers: { etag: `"${'0'.repeat(32)}"` } } : undefined,
    });
    const storage = open({ endpoint: proxy.url }, { patience: { ...QUICK, attempts: 2 } });
    await expect(storage.put(`${newPrefix()}/wrong`, Buffer.from('x'))).rejects.toThrow('other bytes than were sent');
  });

  test('that ignores the condition of a write is found out by the probe', async () => {
    await using proxy = await answeringProxy(server.endpoint, {
      after: ({ method }) => (method === 'PUT' ? { status: 200 } : undefined),
    });
    expect(await probeStorage(open({ endpoint: proxy.url }), newPrefix())).toEqual({ conditionalWrites: false });
  });

  test('that changes bytes is found out by the probe', async () => {
    await using proxy = await answeringProxy(server.endpoint, {
      change: ({ method }, body) => (method === 'GET' ? Buffer.from(body.map((byte) => byte ^ 1)) : body),
    });
    await expect(probeStorage(open({ endpoint: proxy.url }), newPrefix())).rejects.toMatchObject({
      reason: 'StoreRejected',
    });
  });

  test('with a page of a list that fails gives no list', async () => {
    await using proxy = await answeringProxy(server.endpoint, {
      before: () => ({ status: 500, body: s3Error('InternalError') }),
    });
    const listing = async () => {
      for await (const _ of open({ endpoint: proxy.url }).list('')) throw new Error('nothing should be listed');
    };
    await expect(listing()).rejects.toMatchObject({ reason: 'StoreUnreachable' });
  });

  test('with "denied" of what is not there, as AWS does to whoever may list only a prefix, is asked for its list', async () => {
    const prefix = newPrefix();
    await open().put(`${prefix}/there`, Buffer.from('x'));
    await using proxy = await answeringProxy(server.endpoint, {
      before: ({ method, path }) =>
        method === 'HEAD' || (method === 'GET' && path.includes(`/${prefix}/`))
          ? { status: 403, body: method === 'HEAD' ? '' : s3Error('AccessDenied') }
          : undefined,
    });
    const storage = open({ endpoint: proxy.url });
    expect(await storage.stat(`${prefix}/gone`)).toBeUndefined();
    await expect(storage.getSmall(`${prefix}/gone`, 10)).rejects.toMatchObject({ reason: 'ObjectNotFound' });
    await expect(storage.stat(`${prefix}/there`)).rejects.toMatchObject({ reason: 'StoreAccessDenied' });
    await expect(storage.getSmall(`${prefix}/there`, 10)).rejects.toMatchObject({ reason: 'StoreAccessDenied' });
  });

  test('with an object that is another one half-way is found out', async () => {
    const key = `${newPrefix()}/changing`;
    await open().put(key, randomBytes(2 * MIB));
    await using proxy = await breakingProxy(server.endpoint, {
      afterReceived: (connection) => (connection === 0 ? MIB : undefined),
    });
    // So long a wait before it goes on that the object is another one by then.
    const patience = { attempts: 3, firstDelayMs: 3_000, longestDelayMs: 3_000 };
    const body = await open({ endpoint: proxy.url }, { patience }).get(key);
    await open().put(key, randomBytes(2 * MIB));
    const reading = async () => collect(body);
    await expect(reading()).rejects.toMatchObject({ reason: 'ArchiveCorrupt' });
  });
});

describe('a store that cannot be used is told with the reason and the next step', () => {
  const put = (storage: Storage) => storage.put(`${newPrefix()}/x`, Buffer.from('x'));

  test('a bucket that does not exist', async () => {
    const failure = put(open({ bucket: 'no-such-bucket' }));
    await expect(failure).rejects.toMatchObject({ reason: 'BucketNotFound', outlook: 'retry' });
    await expect(failure).rejects.toThrow('the bucket no-such-bucket does not exist');
  });

  test('a wrong secret key', async () => {
    const failure = put(open({}, {}, 'wrong-secret-canary'));
    await expect(failure).rejects.toMatchObject({ reason: 'StoreCredentialsInvalid', outlook: 'retry' });
    await expect(failure).rejects.not.toThrow('wrong-secret-canary');
  });

  test('a host whose name is unknown', async () => {
    const failure = put(open({ endpoint: 'http://nowhere.invalid' }));
    await expect(failure).rejects.toMatchObject({ reason: 'StoreUnreachable', outlook: 'retry' });
  });

  test('a port that nobody listens on', async () => {
    await expect(put(open({ endpoint: 'http://127.0.0.1:9' }))).rejects.toThrow(
      'nothing answers at http://127.0.0.1:9',
    );
  });

  test('https where the server speaks http', async () => {
    const failure = put(open({ endpoint: server.endpoint.replace('http:', 'https:') }));
    await expect(failure).rejects.toMatchObject({ reason: 'StoreTlsFailed' });
    await expect(failure).rejects.toThrow('no trusted connection');
  });

  test.each([
    ['AccessDenied', 403, 'StoreAccessDenied'],
    ['RequestTimeTooSkewed', 403, 'ClockSkewed'],
    ['PermanentRedirect', 301, 'StoreRejected'],
    ['AuthorizationHeaderMalformed', 400, 'StoreRejected'],
    ['QuotaExceeded', 507, 'StoreRejected'],
    ['ExpiredToken', 400, 'StoreCredentialsInvalid'],
    ['SomethingNew', 400, 'StoreRejected'],
  ])('an answer of %s', async (code, status, reason) => {
    await using proxy = await answeringProxy(server.endpoint, { before: () => ({ status, body: s3Error(code) }) });
    const failure = await put(open({ endpoint: proxy.url })).catch((caught: unknown) => caught);
    expect(failure).toMatchObject({ reason, outlook: 'retry' });
    expect((failure as { hint?: string }).hint).toBeTruthy();
  });

  test('a server that is no S3 server', async () => {
    await using proxy = await answeringProxy(server.endpoint, {
      before: () => ({ status: 404, body: '<html>not here</html>', headers: { 'content-type': 'text/html' } }),
    });
    await expect(open({ endpoint: proxy.url }).getSmall('x', 10)).rejects.toMatchObject({
      outlook: expect.any(String),
    });
  });
});
