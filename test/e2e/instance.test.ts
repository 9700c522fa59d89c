import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { postgres, SUPERUSER_SECRET, secret } from '../../demo/objects.ts';
import type { Backup } from '../../src/api/backup.ts';
import { answers } from '../cluster/postgres.ts';
import { restore, startBackup } from '../support/e2e-runs.ts';
import { aScene, type Scene } from '../support/e2e-scene.ts';
import { eventually, untilComplete } from '../support/e2e-wait.ts';
import { theWorld } from '../support/e2e-world.ts';
import { type Fingerprint, fingerprint } from '../support/postgres-fingerprint.ts';

/** A server of the scene's own: what is restored is all that is on it. */
describe('a whole server', () => {
  const password = randomBytes(12).toString('hex');
  let scene: Scene;
  let host = '';
  let before: Record<string, Fingerprint>;

  beforeAll(async () => {
    scene = await aScene('instance', { without: ['app'] });
    await scene.kubectl.apply([
      secret(SUPERUSER_SECRET, { username: 'postgres', password }),
      ...postgres(theWorld().postgresImage),
    ]);
    await scene.kubectl.rolledOut('postgres');
    const service = await scene.kubectl.get<{ spec: { clusterIP: string } }>('service', 'postgres');
    host = service?.spec.clusterIP ?? '';
    // Its pod is ready; whether its address leads there already is another matter.
    await eventually('the server answers', () => answers(config('postgres')));
    await sql(
      'postgres',
      `CREATE ROLE app LOGIN PASSWORD 'app''s own' CONNECTION LIMIT 9`,
      `CREATE ROLE readers`,
      `GRANT readers TO app WITH ADMIN OPTION`,
      `ALTER ROLE app SET work_mem = '7MB'`,
      `CREATE DATABASE shop OWNER app`,
      `CREATE DATABASE "Stock & Co" CONNECTION LIMIT 50`,
      `ALTER DATABASE shop SET statement_timeout = '42s'`,
    );
    await sql(
      'shop',
      `CREATE TABLE orders AS SELECT n FROM generate_series(1, 1000) n`,
      `ALTER TABLE orders OWNER TO app`,
    );
    await sql('shop', `GRANT SELECT ON orders TO readers`);
    await sql('Stock & Co', `CREATE TABLE "T.x" AS SELECT 'kept' AS v`);
    before = await prints();
  });

  afterAll(async () => scene?.[Symbol.asyncDispose]());

  const config = (database: string) => ({
    host,
    user: 'postgres',
    password,
    database,
    connectionTimeoutMillis: 10_000,
  });

  async function sql(database: string, ...statements: readonly string[]): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client(config(database));
    await client.connect();
    try {
      let rows: readonly Record<string, unknown>[] = [];
      for (const statement of statements) rows = (await client.query(statement)).rows;
      return rows;
    } finally {
      await client.end();
    }
  }

  const prints = async () => ({
    shop: await fingerprint(config('shop')),
    stock: await fingerprint(config('Stock & Co')),
  });

  const theRole = () =>
    sql('postgres', `SELECT rolpassword, rolconnlimit, rolcanlogin FROM pg_authid WHERE rolname = 'app'`);

  test('is backed up, and two databases and a role that are lost come back as they were', async () => {
    const role = await theRole();
    await startBackup(scene, 'everything', {
      source: {
        postgresql: {
          host: `postgres.${scene.namespace}.svc`,
          scope: 'Instance',
          credentials: { secretRef: { name: SUPERUSER_SECRET } },
        },
      },
    });
    await untilComplete<Backup>(scene.kubectl, 'backup', 'everything');
    await sql('postgres', 'DROP DATABASE shop', 'DROP DATABASE "Stock & Co"', 'DROP ROLE app', 'CREATE DATABASE since');

    const { status } = await restore(scene, 'all-of-it', 'everything', WITHOUT_APP);
    expect(status).toMatchObject({ phase: 'Complete', outcome: { result: 'Restored' } });
    expect(status?.plan?.notes).toContain('Roles that are made, with their passwords: "app".');
    expect(status?.plan?.notes).toContain(
      'Databases of the server that the archive has not, and that stay as they are: "since".',
    );
    expect(await prints()).toEqual(before);
    expect(await theRole()).toEqual(role);
  });

  test('is replaced as a whole, and the replaced databases are kept by name', async () => {
    await sql('shop', 'DELETE FROM orders');
    const { status } = await restore(scene, 'again', 'everything', WITHOUT_APP);
    expect(status?.previousDatabases).toHaveLength(2);
    expect(await prints()).toEqual(before);
    const names = (await sql('postgres', 'SELECT datname FROM pg_database')).map(({ datname }) => datname);
    expect(names).toEqual(expect.arrayContaining([...(status?.previousDatabases ?? []), 'since']));
  });

  test('gives back one of its databases, under another name', async () => {
    await restore(scene, 'one', 'everything', {
      ...WITHOUT_APP,
      from: { backupRef: { name: 'everything' }, database: 'Stock & Co' },
      target: { postgresql: { database: 'copy' } },
    });
    expect(await fingerprint(config('copy'))).toEqual(before['stock']);
  });
});

const WITHOUT_APP = { scaleDown: undefined } as unknown as Record<string, never>;
