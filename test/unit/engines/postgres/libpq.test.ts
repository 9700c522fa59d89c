import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { connectionString, libpq, passwordFile } from '../../../../src/engines/postgres/libpq.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-libpq-'));
});
afterEach(() => rm(folder, { recursive: true }));

const endpoint = (password: string) => ({
  host: 'pg.shop.svc',
  port: 5433,
  database: 'shop',
  login: { username: 'us er', password },
  applicationName: 'holdfast backup shop/x 12345678',
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
  });
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
