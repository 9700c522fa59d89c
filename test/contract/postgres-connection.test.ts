import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DEFAULT_AUTHENTICATION } from '../../src/api/postgresql.ts';
import { connect } from '../../src/engines/postgres/connection.ts';
import type { Endpoint } from '../../src/engines/postgres/endpoint.ts';
import { issue, makeAuthority } from '../cluster/pki.ts';
import { serveTls, withAccessRules } from '../support/postgres-access.ts';
import { dumpOf, PASSWORD, type PostgresWorld, postgresWorld } from '../support/postgres-world.ts';

let world: PostgresWorld;

beforeAll(async () => {
  world = await postgresWorld();
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const endpoint = (over: Partial<Endpoint> = {}): Endpoint => ({
  host: world.server.host,
  port: world.server.port,
  database: 'postgres',
  login: world.superuser,
  applicationName: 'holdfast test',
  tls: { mode: 'prefer' },
  authentication: DEFAULT_AUTHENTICATION,
  ...over,
});
const open = (over?: Partial<Endpoint>) => connect(endpoint(over), new AbortController().signal);

async function isEncrypted(over?: Partial<Endpoint>): Promise<unknown> {
  await using session = await open(over);
  return (await session.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'))[0]?.['ssl'];
}

async function turnTlsOn(): Promise<void> {
  const folder = world.context.temporary;
  await makeAuthority(folder, 'test');
  await issue(folder, { file: 'server', commonName: 'postgres' });
  await serveTls(world, folder, 'server');
}

test('what stands in the way of a connection is said by name, and may heal', async () => {
  const wrong = { ...world.superuser, password: 'wrong' };
  await expect(open({ login: wrong })).rejects.toMatchObject({ reason: 'AuthenticationFailed', outlook: 'retry' });
  await expect(open({ database: 'nowhere' })).rejects.toMatchObject({ reason: 'DatabaseNotFound', outlook: 'retry' });
  await expect(open({ port: 1 })).rejects.toMatchObject({ reason: 'DatabaseUnreachable', outlook: 'retry' });
  await expect(open({ host: 'nowhere.invalid' })).rejects.toMatchObject({ reason: 'DatabaseUnreachable' });
  await expect(open({ database: 'template0' })).rejects.toMatchObject({ reason: 'DatabaseClosed' });
});

test('a session is itself whatever the role and the database have set', async () => {
  await world.role('strange');
  await world.sql(
    'postgres',
    'ALTER ROLE strange SET search_path = public',
    `ALTER ROLE strange SET statement_timeout = '5ms'`,
    'ALTER ROLE strange SET default_transaction_read_only = on',
  );
  await using session = await open({ login: { username: 'strange', password: PASSWORD } });
  await session.query('SELECT pg_sleep(0.05)');
  const [settings] = await session.query(
    `SELECT current_setting('search_path') AS path, current_setting('statement_timeout') AS patience,
       current_setting('transaction_read_only') AS "readOnly", current_setting('application_name') AS name`,
  );
  expect(settings).toEqual({ path: 'pg_catalog', patience: '0', readOnly: 'off', name: 'holdfast test' });
  expect(session.server.major).toBe(world.server.major);
});

test('a server without TLS is spoken to without, one with TLS with, and one whose rules want none without', async () => {
  expect(await isEncrypted()).toBe(false);
  await turnTlsOn();
  expect(await isEncrypted()).toBe(true);
  await world.role('plain');
  const login = { username: 'plain', password: PASSWORD };
  await withAccessRules(world, 'hostssl all plain all reject\nhostnossl all plain all scram-sha-256', async () => {
    expect(await isEncrypted({ login })).toBe(false);
  });
  expect((await dumpOf(world, 'postgres')).bytes.subarray(0, 5).toString()).toBe('PGDMP');
});

test('a role whose password is stored as md5 is let in, and one that the server asks for clear text or nothing is not', async () => {
  const session = world.client('postgres');
  await session.connect();
  await session.query(`SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'md5-secret'`);
  await session.end();
  const login = { username: 'old', password: 'md5-secret' };
  await withAccessRules(world, 'host all old all md5', async () => {
    await using opened = await open({ login });
    expect(await opened.query('SELECT current_user AS me')).toEqual([{ me: 'old' }]);
  });
  for (const method of ['password', 'trust']) {
    await withAccessRules(world, `host all old all ${method}`, async () => {
      await expect(open({ login })).rejects.toMatchObject({ reason: 'AuthenticationRefused' });
    });
  }
});

test('the end of a session by somebody else is noticed', async () => {
  await using session = await open();
  await world.sql('postgres', `SELECT pg_terminate_backend(${session.pid})`);
  for (let waited = 0; waited < 1_000 && !session.lost.aborted; waited += 1) await sleep(10);
  expect(session.lost.aborted).toBe(true);
  await expect(session.query('SELECT 1')).rejects.toThrow();
});
