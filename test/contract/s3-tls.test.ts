/** A store behind a private authority, as most of those are that do not run in a public cloud. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { StoreAccess } from '../../src/api/task.ts';
import { probeStorage } from '../../src/storage/probe.ts';
import { openS3 } from '../../src/storage/s3.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { issue, issueExpired, makeAuthority } from '../cluster/pki.ts';
import { type LocalS3, localS3 } from '../cluster/versitygw.ts';

jest.setTimeout(60_000);

const BUCKET = 'holdfast-tls';
const QUICK = { attempts: 3, firstDelayMs: 10, longestDelayMs: 50 };
const right = { commonName: 's3', alternativeNames: ['IP:127.0.0.1', 'DNS:localhost'] };

let ours: string;
let theirs: string;
let server: LocalS3;

beforeAll(async () => {
  [ours, theirs] = (await Promise.all(['ours-', 'theirs-'].map((name) => mkdtemp(join(tmpdir(), name))))) as [
    string,
    string,
  ];
  await makeAuthority(ours, 'authority of the store');
  await makeAuthority(theirs, 'another authority');
  await issue(ours, { file: 'right', ...right });
  await issue(ours, { file: 'wrong-name', commonName: 's3', alternativeNames: ['DNS:s3.elsewhere.example'] });
  await issueExpired(ours, { file: 'expired', ...right });
  const file = (name: string) => join(ours, name);
  server = await localS3({
    tls: { certificate: file('right.crt'), key: file('right.key'), authority: file('ca.crt') },
  });
  await server.createBucket(BUCKET);
}, 600_000);

afterAll(async () => {
  await server?.stop();
  await Promise.all([ours, theirs].map((folder) => rm(folder, { recursive: true, force: true })));
});

const authorityOf = (folder: string) => readFile(join(folder, 'ca.crt'), 'utf8');

async function open(access: Partial<StoreAccess> = {}, authorities: string | undefined = undefined): Promise<Storage> {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  return openS3(
    { endpoint, region, bucket: BUCKET, prefix: '', forcePathStyle: true, secret: 's3-login', ...access },
    { accessKeyId, secretAccessKey },
    { patience: QUICK, ...(authorities === undefined ? {} : { authorities }) },
  );
}

const named = { authorities: { kind: 'ConfigMap', name: 'company-ca', key: 'ca.crt' } } as const;

test('with the authority of the store, it is written to and read from', async () => {
  using storage = await open(named, await authorityOf(ours));
  expect(await probeStorage(storage, 'prod')).toEqual({ conditionalWrites: true });
  const upload = await storage.beginUpload('prod/part');
  await upload.write(Buffer.from('in pieces'));
  expect(await upload.complete()).toMatchObject({ size: 9 });
});

test('a file of several authorities, as when one follows the other, is taken whole', async () => {
  using storage = await open(named, `${await authorityOf(theirs)}${await authorityOf(ours)}`);
  expect(await probeStorage(storage, 'prod')).toEqual({ conditionalWrites: true });
});

describe('is refused, with the next step, and nothing is sent:', () => {
  const failureOf = async (storage: Storage) => {
    using _ = storage;
    return storage.put('x', Buffer.from('x')).then(
      () => undefined,
      (caught: unknown) => caught as Error & { hint?: string },
    );
  };

  test('a store whose authority nobody named', async () => {
    const failure = await failureOf(await open());
    expect(failure).toMatchObject({ reason: 'StoreTlsFailed', outlook: 'retry' });
    expect(failure?.message).toContain('is not signed by a public authority');
    expect(failure?.hint).toContain('spec.s3.tls');
  });

  test('a store of another authority than the one that is named', async () => {
    const failure = await failureOf(await open(named, await authorityOf(theirs)));
    expect(failure).toMatchObject({ reason: 'StoreTlsFailed', outlook: 'retry' });
    expect(failure?.message).toContain('the ConfigMap company-ca');
  });

  test.each([
    ['expired', 'has expired'],
    ['wrong-name', 's3.elsewhere.example'],
  ])('a certificate that is %s', async (file, words) => {
    await using impostor = await serving(file);
    const failure = await failureOf(await open({ ...named, endpoint: impostor.url }, await authorityOf(ours)));
    expect(failure).toMatchObject({ reason: 'StoreTlsFailed', outlook: 'retry' });
    expect(failure?.message).toContain(words);
    expect(impostor.requests()).toBe(0);
  });
});

async function serving(file: string): Promise<AsyncDisposable & { url: string; requests: () => number }> {
  const [key, cert] = await Promise.all([`${file}.key`, `${file}.crt`].map((name) => readFile(join(ours, name))));
  let requests = 0;
  const impostor = createServer({ key: key ?? '', cert: cert ?? '' }, (_, answer) => {
    requests++;
    answer.end();
  });
  await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve));
  const { port } = impostor.address() as { port: number };
  return {
    url: `https://127.0.0.1:${port}`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      impostor.closeAllConnections();
      impostor.close();
    },
  };
}
