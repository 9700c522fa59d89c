/** A real PgBouncer between us and the server, with TLS and SCRAM. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Login } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { localPgBouncer, type PgBouncer, type PgBouncerOptions } from '../cluster/pgbouncer.ts';
import { issue, makeAuthority } from '../cluster/pki.ts';
import { waitFor } from '../cluster/wait.ts';
import { anExampleDatabase } from '../support/postgres-example.ts';
import { withProgramsOfEveryMajor } from '../support/postgres-majors.ts';
import {
  dumpOf,
  inTheFuture,
  loadInto,
  type PostgresWorld,
  postgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

withProgramsOfEveryMajor();
let world: PostgresWorld;
let folder: string;
let login: Login;

beforeAll(async () => {
  world = await postgresWorld();
  for (const role of ['app', 'reader']) await world.role(role);
  await anExampleDatabase(world, 'shop');
  folder = await mkdtemp(join(tmpdir(), 'holdfast-pooler-'));
  await makeAuthority(folder, 'authority');
  await issue(folder, { file: 'pool', commonName: 'pool', alternativeNames: ['DNS:localhost'] });
  login = { ...world.superuser, authorities: await readFile(join(folder, 'ca.crt'), 'utf8') };
}, 180_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const start = (options: Pick<PgBouncerOptions, 'mode' | 'settings'>) =>
  localPgBouncer(world.server, { certificate: join(folder, 'pool.crt'), key: join(folder, 'pool.key'), ...options });

/** The same world, seen through the pool. */
const HELD = `SELECT FROM pg_locks WHERE locktype = 'advisory'`;

const through = ({ port }: PgBouncer): PostgresWorld => ({
  ...world,
  access: (database) => ({
    ...world.access(database),
    host: 'localhost',
    port,
    tls: { mode: 'verify-full', authorities: { secret: 'pool-ca', key: 'ca.crt' } },
    authentication: ['scram-sha-256'],
  }),
});

test('a pool in session mode is as good as the server itself: a backup, and a restore over a live database', async () => {
  const bouncer = await start({ mode: 'session' });
  try {
    const pooled = through(bouncer);
    const archive = await dumpOf(pooled, 'shop', login);
    const before = await world.print('shop');
    // The pooler gives back what a client held a moment after the client has gone.
    await waitFor(async () => (await world.sql('postgres', HELD)).length === 0, {
      timeoutMs: 20_000,
      otherwise: () => 'the backup still holds its lock',
    });
    const request = requestFor(archive, 'shop');
    await using target = await postgres.openTarget(pooled.access('shop'), login, request, world.context);
    expect((await target.plan()).refusals).toEqual([]);
    await loadInto(target, archive);
    await target.swap(inTheFuture());
    await target.dropPrevious();
    expect(await world.print('shop')).toEqual(before);
  } finally {
    await bouncer.stop();
  }
}, 60_000);

test.each<[PgBouncerOptions['mode'], Readonly<Record<string, string>>]>([
  ['transaction', {}],
  ['transaction', { default_pool_size: '1' }],
  ['transaction', { server_round_robin: '1' }],
  ['statement', {}],
])('a pool in %s mode (%j) is refused by name, for a backup and for a restore', async (mode, settings) => {
  const bouncer = await start({ mode, settings });
  try {
    const access = through(bouncer).access('shop');
    const refusal = { reason: 'PoolerInTransactionMode', outlook: 'final' };
    await expect(postgres.openSource(access, login, world.context)).rejects.toMatchObject(refusal);
    const archive = { bytes: Buffer.alloc(0), properties: {} as never, major: world.server.major };
    const target = postgres.openTarget(access, login, requestFor(archive, 'shop'), world.context);
    await expect(target).rejects.toMatchObject(refusal);
  } finally {
    await bouncer.stop();
  }
});

test('what a pool says in place of the server is told as it says it', async () => {
  const bouncer = await start({ mode: 'session' });
  try {
    const access = through(bouncer).access('shop');
    const open = (over: Partial<Login>) => postgres.openSource(access, { ...login, ...over }, world.context);
    await expect(open({ username: 'nobody' })).rejects.toMatchObject({ outlook: 'retry' });
    await expect(open({ password: 'wrong' })).rejects.toMatchObject({ reason: 'AuthenticationFailed' });
    const nowhere = postgres.openSource({ ...access, maintenanceDatabase: 'nowhere' }, login, world.context);
    await expect(nowhere).rejects.toMatchObject({ outlook: 'retry', message: expect.stringContaining('nowhere') });
  } finally {
    await bouncer.stop();
  }
});
