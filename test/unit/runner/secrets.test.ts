import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { RunnerContext } from '../../../src/runner/context.ts';
import { openStore, readStoreLogin } from '../../../src/runner/open-store.ts';
import { readKey } from '../../../src/runner/secrets.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-secrets-'));
});
afterEach(() => rm(folder, { recursive: true }));

const read = (key = 'password') => readKey({ folder, name: 'login' }, key);

describe('a key of a Secret', () => {
  test.each([
    ['as it is', 'pass word', 'pass word'],
    ['without the newline at its end', 'pass\n', 'pass'],
    ['without CRLF at its end', 'pass\r\n', 'pass'],
    ['with all newlines but the last', 'pass\n\n', 'pass\n'],
    ['with spaces around it', '  pass ', '  pass '],
    ['in any script', 'пароль🦔\n', 'пароль🦔'],
    ['with a byte order mark, which may be part of it', '\uFEFFpass', '\uFEFFpass'],
    ['with a carriage return within', 'a\rb', 'a\rb'],
  ])('is read %s', async (_, written, value) => {
    await writeFile(join(folder, 'password'), written);
    expect(await read()).toBe(value);
  });

  test.each([
    ['empty', '', 'SecretKeyEmpty'],
    ['a newline only', '\n', 'SecretKeyEmpty'],
    ['with a NUL byte', 'pass\0word', 'SecretKeyInvalid'],
    ['no UTF-8', Buffer.from([0x70, 0xff, 0xfe]), 'SecretKeyInvalid'],
  ])('that is %s may be mended, and is never quoted', async (_, written, reason) => {
    await writeFile(join(folder, 'password'), written);
    const failure = await read().catch((caught: unknown) => caught);
    expect(failure).toMatchObject({ reason, outlook: 'retry' });
    expect((failure as Error).message).toMatch(/the key password of the Secret login/);
    expect((failure as Error).message).not.toContain('pass\0');
  });

  test('that is missing is told with the keys that are there', async () => {
    await writeFile(join(folder, 'Password'), 'x');
    await expect(read()).rejects.toMatchObject({
      reason: 'SecretKeyNotFound',
      outlook: 'retry',
      hint: expect.stringContaining('Password'),
    });
  });

  test('is found where the kubelet puts it: behind links', async () => {
    await mkdir(join(folder, '..2026_11_24'));
    await writeFile(join(folder, '..2026_11_24', 'password'), 'linked\n');
    await symlink('..2026_11_24', join(folder, '..data'));
    await symlink('..data/password', join(folder, 'password'));
    expect(await read()).toBe('linked');
  });

  test.each(['..', '../../etc/passwd', '..data'])('cannot be %s', async (key) => {
    await writeFile(join(folder, 'password'), 'x');
    await expect(read(key)).rejects.toMatchObject({ reason: 'SecretKeyNotFound' });
  });
});

describe('a Secret', () => {
  test('that does not exist is an empty mount, or none', async () => {
    await mkdir(join(folder, '..data'));
    await expect(read()).rejects.toMatchObject({ reason: 'SecretNotFound', outlook: 'retry' });
    await expect(readKey({ folder: join(folder, 'none'), name: 'login' }, 'x')).rejects.toMatchObject({
      reason: 'SecretNotFound',
    });
  });

  test('of a store may have a session token', async () => {
    const store = { endpoint: '', region: '', bucket: '', prefix: '', forcePathStyle: true, secret: 's3' };
    await mkdir(join(folder, 'store'));
    for (const key of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])
      await writeFile(join(folder, 'store', key), `${key}\n`);
    const plain = { accessKeyId: 'AWS_ACCESS_KEY_ID', secretAccessKey: 'AWS_SECRET_ACCESS_KEY' };
    expect(await readStoreLogin(folder, store)).toEqual(plain);
    await writeFile(join(folder, 'store', 'AWS_SESSION_TOKEN'), 'token');
    expect(await readStoreLogin(folder, store)).toEqual({ ...plain, sessionToken: 'token' });
  });

  test('of a store may have keys of other names', async () => {
    const store = {
      ...{ endpoint: '', region: '', bucket: '', prefix: '', forcePathStyle: true, secret: 's3' },
      secretKeys: { accessKeyIdKey: 'access', secretAccessKeyKey: 'secret', sessionTokenKey: 'token' },
    };
    await mkdir(join(folder, 'store'));
    for (const key of ['access', 'secret', 'AWS_SESSION_TOKEN']) await writeFile(join(folder, 'store', key), key);
    expect(await readStoreLogin(folder, store)).toEqual({ accessKeyId: 'access', secretAccessKey: 'secret' });
    await writeFile(join(folder, 'store', 'token'), 'temporary');
    expect(await readStoreLogin(folder, store)).toMatchObject({ sessionToken: 'temporary' });
  });

  test('of a store is not looked for where the cloud says who the pod is', async () => {
    const store = { endpoint: '', region: '', bucket: '', prefix: '', forcePathStyle: true };
    expect(await readStoreLogin(folder, store)).toBe('ambient');
  });
});

describe('the authority of a store', () => {
  const store = {
    ...{ endpoint: 'https://s3', region: 'r', bucket: 'b', prefix: '', forcePathStyle: true, secret: 's3' },
    authorities: { kind: 'ConfigMap', name: 'company-ca', key: 'ca.crt' },
  } as const;

  async function opening(): Promise<unknown> {
    await mkdir(join(folder, 'store'), { recursive: true });
    for (const key of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) await writeFile(join(folder, 'store', key), key);
    let given: unknown;
    const openStorage = (_: unknown, __: unknown, options: unknown) => {
      given = options;
      return {};
    };
    await openStore(store, { root: folder, openStorage } as unknown as RunnerContext);
    return given;
  }

  test('is asked for by the name of the ConfigMap, where it is not there', async () => {
    await expect(opening()).rejects.toMatchObject({
      reason: 'ConfigMapNotFound',
      outlook: 'retry',
      hint: expect.stringContaining('kubectl create configmap company-ca'),
    });
  });

  test('is told from any other text', async () => {
    await mkdir(join(folder, 'store-ca'));
    await writeFile(join(folder, 'store-ca', 'ca.crt'), 'no certificate');
    await expect(opening()).rejects.toMatchObject({
      reason: 'CertificateInvalid',
      message: expect.stringContaining('the key ca.crt of the ConfigMap company-ca'),
    });
  });

  test('is given to the connection', async () => {
    const pem = rootCertificates[0] ?? '';
    await mkdir(join(folder, 'store-ca'));
    await writeFile(join(folder, 'store-ca', 'ca.crt'), pem);
    expect(await opening()).toMatchObject({ authorities: expect.stringContaining(pem.trim()) });
  });
});
