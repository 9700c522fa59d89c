import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readKey, readStoreCredentials } from '../../../src/runner/secrets.ts';

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
    expect(await readStoreCredentials(folder, store)).toEqual(plain);
    await writeFile(join(folder, 'store', 'AWS_SESSION_TOKEN'), 'token');
    expect(await readStoreCredentials(folder, store)).toEqual({ ...plain, sessionToken: 'token' });
  });
});
