import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { PostgresqlEntry } from '../../../src/api/postgresql.ts';
import { MOUNTS } from '../../../src/api/task.ts';
import { readLogin } from '../../../src/runner/login.ts';
import { issue, makeAuthority } from '../../cluster/pki.ts';

let certificates: string;
let root: string;
let authority: string;
let client: string;
let key: string;

beforeAll(async () => {
  certificates = await mkdtemp(join(tmpdir(), 'holdfast-login-pki-'));
  await makeAuthority(certificates, 'authority');
  await issue(certificates, { file: 'client', commonName: 'app' });
  const read = (name: string) => readFile(join(certificates, name), 'utf8');
  [authority, client, key] = await Promise.all([read('ca.crt'), read('client.crt'), read('client.key')]);
});
afterAll(() => rm(certificates, { recursive: true }));

beforeEach(async () => {
  root = await mkdtemp(join(certificates, 'root-'));
});

/** Mounts as the kubelet makes them. */
async function mounted(secrets: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<void> {
  for (const [mount, values] of Object.entries(secrets)) {
    await mkdir(join(root, mount));
    for (const [name, value] of Object.entries(values)) await writeFile(join(root, mount, name), value);
  }
}

const KEYS = { secret: 'pg', usernameKey: 'username', passwordKey: 'password' };
const URI = { secret: 'pg', uriKey: 'uri', databases: ['shop'] };
const read = (entry: Partial<PostgresqlEntry> = {}) =>
  readLogin(root, {
    engine: 'postgresql',
    host: 'pg.shop.svc',
    port: 5432,
    database: 'shop',
    maintenanceDatabase: 'postgres',
    credentials: KEYS,
    ...entry,
  });

const TLS = {
  mode: 'verify-full',
  authorities: { secret: 'pg-ca', key: 'ca.crt' },
  clientCertificate: { secret: 'app-cert', certificateKey: 'tls.crt', privateKeyKey: 'tls.key' },
} as const;

describe('role and password', () => {
  test('come from two keys, or from one URI', async () => {
    await mounted({
      [MOUNTS.database]: {
        username: 'app\n',
        password: 'pa ss\n',
        uri: 'postgresql://other:x%20y@pg.shop.svc/shop?sslmode=verify-full&channel_binding=require\n',
      },
    });
    expect(await read()).toEqual({ username: 'app', password: 'pa ss' });
    expect(await read({ credentials: URI })).toEqual({
      username: 'other',
      password: 'x y',
      leastTls: 'verify-full',
      channelBinding: true,
    });
  });

  test('of a URI that has none, or another database, are asked for', async () => {
    await mounted({
      [MOUNTS.database]: { uri: 'postgresql://app@pg.shop.svc/shop', other: 'postgresql://app:x@pg.shop.svc/othr' },
    });
    await expect(read({ credentials: URI })).rejects.toMatchObject({ reason: 'UriInvalid', outlook: 'retry' });
    await expect(read({ credentials: { ...URI, uriKey: 'other' } })).rejects.toMatchObject({ reason: 'UriDisagrees' });
    await expect(read({ credentials: { ...URI, uriKey: 'none' } })).rejects.toMatchObject({
      reason: 'SecretKeyNotFound',
    });
  });

  test('a password is not needed, and not read, where the certificate is the only proof', async () => {
    await mounted({
      [MOUNTS.database]: { username: 'app', uri: 'postgresql://app:unused@pg.shop.svc/shop' },
      [MOUNTS.databaseCa]: { 'ca.crt': authority },
      [MOUNTS.databaseCertificate]: { 'tls.crt': client, 'tls.key': key },
    });
    for (const credentials of [KEYS, URI]) {
      const login = await read({ credentials, tls: TLS, authentication: ['cert'] });
      expect(login).toMatchObject({ username: 'app', certificate: { chain: client } });
      expect(login).not.toHaveProperty('password');
    }
    await expect(read({ tls: TLS, authentication: ['cert', 'scram-sha-256'] })).rejects.toMatchObject({
      reason: 'SecretKeyNotFound',
    });
  });

  test.each<[Partial<PostgresqlEntry>, string]>([
    [{ authentication: ['scram-sha-256', 'password'] }, 'password'],
    [{ authentication: ['password'], tls: { mode: 'verify-ca', authorities: TLS.authorities } }, 'password'],
    [{ authentication: ['cert'], tls: { mode: 'verify-full' } }, 'cert'],
    [{ authentication: ['cert'], tls: { ...TLS, mode: 'require' } }, 'cert'],
  ])('%j, put together of a Backup and a Restore, is refused', async (entry, what) => {
    await expect(read(entry)).rejects.toMatchObject({
      reason: 'SpecInvalid',
      outlook: 'final',
      message: expect.stringContaining(`authentication ${what}`),
    });
  });
});

describe('certificates', () => {
  const withFiles = async (ca: string, certificate = client, privateKey = key) => {
    await mounted({
      [MOUNTS.database]: { username: 'app', password: 'x' },
      [MOUNTS.databaseCa]: { 'ca.crt': ca },
      [MOUNTS.databaseCertificate]: { 'tls.crt': certificate, 'tls.key': privateKey },
    });
    return read({ tls: TLS });
  };

  test('of several authorities are taken out of whatever is around them', async () => {
    const login = await withFiles(`# ours\n${authority}\nand\n${client}${key}`);
    expect(login.authorities?.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(login.authorities).not.toContain('PRIVATE KEY');
    expect(login.authorities).not.toContain('ours');
  });

  test.each([
    ['no certificate', () => withFiles('nonsense'), 'the key ca.crt of the Secret pg-ca holds no certificate'],
    ['a damaged one', () => withFiles(authority.replace(/[A-Za-z]{20}/, 'A')), 'certificate 1 in the key ca.crt'],
    [
      'a damaged one after a good one',
      () => withFiles(authority + authority.replace(/[A-Za-z]{20}/, 'A')),
      'certificate 2 in',
    ],
    [
      'a key in place of the certificate',
      () => withFiles(authority, key),
      'the key tls.crt of the Secret app-cert holds no',
    ],
    [
      'a certificate in place of the key',
      () => withFiles(authority, client, client),
      'tls.key of the Secret app-cert is no private key',
    ],
    [
      'the key of somebody else',
      () => withFiles(authority, client, anotherKey()),
      'does not belong to the certificate',
    ],
    ['a key with a passphrase', () => withFiles(authority, client, anotherKey('canary')), 'has a passphrase'],
  ])('%s is told by its place, and may heal', async (_, act, message) => {
    await expect(act()).rejects.toMatchObject({
      reason: 'CertificateInvalid',
      outlook: 'retry',
      message: expect.stringContaining(message),
    });
  });

  test('a Secret of which only one key is mounted is not called empty', async () => {
    await mounted({ [MOUNTS.database]: { username: 'app', password: 'x' }, [MOUNTS.databaseCa]: {} });
    await expect(read({ tls: TLS })).rejects.toMatchObject({
      reason: 'SecretNotFound',
      message: 'the Secret pg-ca does not exist in this namespace, or has no key ca.crt',
    });
  });
});

function anotherKey(passphrase?: string): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const common = { type: 'pkcs8', format: 'pem' } as const;
  return privateKey
    .export(passphrase === undefined ? common : { ...common, cipher: 'aes-256-cbc', passphrase })
    .toString();
}
