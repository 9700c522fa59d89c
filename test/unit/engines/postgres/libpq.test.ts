import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type AuthenticationMethod, DEFAULT_AUTHENTICATION } from '../../../../src/api/postgresql.ts';
import type { Endpoint } from '../../../../src/engines/postgres/endpoint.ts';
import { connectionString, libpq, passwordFile } from '../../../../src/engines/postgres/libpq.ts';

const NAMES = { secret: 'app-cert', certificateKey: 'tls.crt', privateKeyKey: 'tls.key' };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-libpq-'));
});
afterEach(() => rm(folder, { recursive: true }));

const endpoint = (password: string, over: Partial<Endpoint> = {}): Endpoint => ({
  host: 'pg.shop.svc',
  port: 5433,
  database: 'shop',
  login: { username: 'us er', password },
  applicationName: 'holdfast backup shop/x 12345678',
  tls: { mode: 'prefer' },
  authentication: DEFAULT_AUTHENTICATION,
  ...over,
});

test('a name that looks like a connection string is only a name', () => {
  expect(connectionString('host=evil user=x')).toMatch(/^dbname='host=evil user=x' /);
  expect(connectionString(`it's a \\`)).toMatch(/^dbname='it\\'s a \\\\' /);
});

test('the password is in a file that only we may read, and nowhere else', async () => {
  await using access = await libpq(endpoint('se:cr\\et'), folder, ['idle_session_timeout=0', 'x=1']);
  const path = String(access.env['PGPASSFILE']);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readFile(path, 'utf8')).toBe('*:*:*:*:se\\:cr\\\\et\n');
  expect(JSON.stringify(access.env)).not.toContain('se:cr');
  expect(access.env).toMatchObject({
    PGHOST: 'pg.shop.svc',
    PGPORT: '5433',
    PGUSER: 'us er',
    PGREQUIREAUTH: 'scram-sha-256,md5',
    PGOPTIONS: '-c idle_session_timeout=0 -c x=1',
    PGSSLMODE: 'prefer',
    PGSSLCERTMODE: 'disable',
    PGSSLMINPROTOCOLVERSION: 'TLSv1.2',
  });
  expect(access.env['PGSSLROOTCERT']).toBeUndefined();
});

test('certificates and key are files that only we may read, and the paths to them are all that is told', async () => {
  const certificate = { chain: 'chain of the client', key: 'key of the client' };
  const login = { username: 'app', authorities: 'those we trust', certificate };
  await using access = await libpq(
    endpoint('', { login, tls: { mode: 'verify-full', clientCertificate: NAMES }, authentication: ['cert'] }),
    folder,
  );
  const { env } = access;
  expect(env).toMatchObject({ PGSSLMODE: 'verify-full', PGREQUIREAUTH: 'none', PGSSLCERTMODE: 'allow' });
  const files = { PGSSLROOTCERT: 'those we trust', PGSSLCERT: certificate.chain, PGSSLKEY: certificate.key };
  for (const [name, text] of Object.entries(files)) {
    expect(await readFile(String(env[name]), 'utf8')).toBe(text);
    expect((await stat(String(env[name]))).mode & 0o777).toBe(0o600);
    expect(JSON.stringify(env)).not.toContain(text);
  }
  await expect(stat(String(env['PGPASSFILE']))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(env['PGOPTIONS']).toBeUndefined();
});

test('where no authority is named, libpq trusts those that Node trusts, on any image', async () => {
  await using access = await libpq(endpoint('x', { tls: { mode: 'verify-full' } }), folder);
  const text = await readFile(String(access.env['PGSSLROOTCERT']), 'utf8');
  expect(text.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(50);
});

test.each<[Endpoint['tls']['mode'], AuthenticationMethod[], string]>([
  ['verify-full', ['scram-sha-256', 'password'], 'scram-sha-256,password'],
  ['verify-ca', ['scram-sha-256', 'password'], 'scram-sha-256'],
  ['require', ['md5', 'cert'], 'md5'],
])('in mode %s, %j is required as %s', async (mode, authentication, required) => {
  await using access = await libpq(endpoint('x', { tls: { mode, clientCertificate: NAMES }, authentication }), folder);
  expect(access.env['PGREQUIREAUTH']).toBe(required);
});

test('an empty list, which libpq takes for everything, is never handed on', async () => {
  await expect(libpq(endpoint('x', { authentication: ['password'] }), folder)).rejects.toMatchObject({
    reason: 'SpecInvalid',
  });
  expect(await readdir(folder)).toEqual([]);
});

test('the file is gone with its use', async () => {
  const access = await libpq(endpoint('x'), folder);
  await access[Symbol.asyncDispose]();
  expect(await readdir(folder)).toEqual([]);
});

test('a password with a line break is refused with a way out, and not repeated', () => {
  expect(() => passwordFile('top\nsecret')).toThrow(
    expect.objectContaining({ reason: 'PasswordUnusable', outlook: 'retry' }),
  );
  expect(() => passwordFile('top\nsecret')).not.toThrow('secret');
});
