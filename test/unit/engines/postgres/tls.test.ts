import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DEFAULT_AUTHENTICATION } from '../../../../src/api/postgresql.ts';
import { tlsOptions } from '../../../../src/engines/postgres/tls.ts';
import { issue, makeAuthority } from '../../../cluster/pki.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-names-'));
  await makeAuthority(folder, 'authority');
});
afterAll(() => rm(folder, { recursive: true }));

const NAMED: readonly (readonly [string, readonly string[], string, boolean])[] = [
  ['pg.db.example.com', ['DNS:pg.db.example.com'], 'x', true],
  ['PG.db.example.com', ['DNS:pg.DB.example.com'], 'x', true],
  ['pg.db.example.com', ['DNS:*.db.example.com'], 'x', true],
  ['a.pg.db.example.com', ['DNS:*.db.example.com'], 'x', false],
  ['pg.db.example.com', ['DNS:p*.db.example.com'], 'x', false],
  ['pg.db.example.com', [], 'pg.db.example.com', true],
  ['pg.db.example.com', ['DNS:other.example.com'], 'pg.db.example.com', false],
  ['pg.db.example.com', ['IP:10.1.2.3'], 'x', false],
  ['10.1.2.3', ['IP:10.1.2.3'], 'x', true],
  ['10.1.2.3', ['IP:10.1.2.4', 'DNS:10.1.2.3'], 'x', false],
  ['fd00::1', ['IP:fd00:0:0::1'], 'x', true],
];

test.each(NAMED.map((each, index) => [...each, index] as const))(
  'a server at %s with a certificate for %j and the common name %s is the right one: %s',
  async (host, alternativeNames, commonName, right, index) => {
    await issue(folder, { file: `c${index}`, commonName, alternativeNames });
    const { raw } = new X509Certificate(await readFile(join(folder, `c${index}.crt`)));
    const fault = (mode: 'verify-full' | 'verify-ca') =>
      tlsOptions({
        host,
        port: 5432,
        database: 'd',
        login: { username: 'u', password: 'p', authorities: 'x' },
        tls: { mode },
        authentication: DEFAULT_AUTHENTICATION,
        applicationName: 't',
      }).checkServerIdentity?.('ignored', { raw } as PeerCertificate);
    expect(fault('verify-full') === undefined).toBe(right);
    expect(fault('verify-ca')).toBeUndefined();
    if (!right)
      expect(fault('verify-full')).toMatchObject({
        message: expect.stringMatching(alternativeNames[0]?.slice(-9) ?? ''),
      });
  },
);
