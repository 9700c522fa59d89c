import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { secret } from '../../demo/objects.ts';
import type { Backup } from '../../src/api/backup.ts';
import { issue, makeAuthority } from '../cluster/pki.ts';
import { printOf, restore, startBackup } from '../support/e2e-runs.ts';
import { aScene, quoted, type Scene } from '../support/e2e-scene.ts';
import { endTurn } from '../support/e2e-turn.ts';
import { untilComplete, untilPending } from '../support/e2e-wait.ts';
import { POSTGRES_HOST, sql } from '../support/e2e-world.ts';

let folder: string;
const file = (name: string) => readFile(join(folder, name), 'utf8');

/** A program of the server that reads this text; it runs in the folder with the server's data. */
async function pipeInto(program: string, text: string): Promise<void> {
  await sql('postgres', `COPY (SELECT '${Buffer.from(text).toString('base64')}') TO PROGRAM 'base64 -d ${program}'`);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-tls-'));
  await makeAuthority(folder, 'authority');
  await makeAuthority(join(folder, 'strangers'), 'strangers');
  await issue(folder, { file: 'server', commonName: 'postgres', alternativeNames: [`DNS:${POSTGRES_HOST}`] });
  for (const name of ['server.crt', 'server.key', 'ca.crt']) {
    await pipeInto(`> ${name} && chmod 600 ${name}`, await file(name));
  }
  await sql('postgres', "ALTER SYSTEM SET ssl_ca_file = 'ca.crt'");
  await sql('postgres', 'ALTER SYSTEM SET ssl = on');
});

afterAll(async () => {
  await sql('postgres', 'ALTER SYSTEM RESET ssl');
  await sql('postgres', 'SELECT pg_reload_conf()');
  await rm(folder, { recursive: true, force: true });
  await endTurn();
});

/** From now on the scene's role is let in over TLS only with a certificate of its own. */
async function wantCertificateOf({ login }: Scene): Promise<void> {
  const rule = `hostssl all ${quoted(login.role)} all scram-sha-256 clientcert=verify-full\n`;
  await pipeInto('| cat - pg_hba.conf > pg_hba.new && mv pg_hba.new pg_hba.conf', rule);
  await sql('postgres', 'SELECT pg_reload_conf()');
}

test('with verify-full, a client certificate and a URI a backup waits for the right authority, and a restore goes in the same way', async () => {
  await using scene = await aScene('tls');
  const { kubectl, database, login } = scene;
  await wantCertificateOf(scene);
  await issue(folder, { file: 'client', commonName: login.role });
  const [role, password] = [login.role, login.password].map(encodeURIComponent);
  await kubectl.apply([
    secret('app-uri', { uri: `postgresql://${role}:${password}@${POSTGRES_HOST}:5432/${database}?sslmode=require\n` }),
    secret('app-certificate', { 'tls.crt': await file('client.crt'), 'tls.key': await file('client.key') }),
    secret('pg-ca', { 'ca.crt': await file('strangers/ca.crt') }),
  ]);
  await startBackup(scene, 'first', {
    source: {
      postgresql: {
        host: POSTGRES_HOST,
        database,
        credentials: { secretRef: { name: 'app-uri', uriKey: 'uri' } },
        tls: {
          mode: 'verify-full',
          caSecretRef: { name: 'pg-ca', key: 'ca.crt' },
          clientCertSecretRef: { name: 'app-certificate' },
        },
        authentication: ['scram-sha-256'],
      },
    },
  });
  const waiting = await untilPending<Backup>(kubectl, 'backup', 'first', 'TlsFailed');
  expect(waiting.status?.failure?.message).toContain('key ca.crt of the Secret pg-ca');

  await kubectl.apply([secret('pg-ca', { 'ca.crt': await file('ca.crt') })]);
  await untilComplete(kubectl, 'backup', 'first');

  const before = await printOf(scene);
  await sql(database, 'DELETE FROM orders');
  await restore(scene, 'back', 'first');
  expect(await printOf(scene)).toEqual(before);
});
