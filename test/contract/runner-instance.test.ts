import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { program } from '../cluster/programs.ts';
import { waitFor } from '../cluster/wait.ts';
import { fingerprint } from '../support/postgres-fingerprint.ts';
import { PASSWORD } from '../support/postgres-world.ts';
import { loadTask } from '../support/restore-steps.ts';
import { failureOf, fillServer, type InstanceWorld, instanceWorld, ODD, resultOf } from '../support/runner-instance.ts';

jest.setTimeout(180_000);

let it_: InstanceWorld;

beforeAll(async () => {
  it_ = await instanceWorld();
  await fillServer(it_.world);
}, 600_000);

afterAll(async () => {
  await it_[Symbol.asyncDispose]();
});

describe('a backup of a whole server', () => {
  test('has each database, what it could not take, and the roles with their passwords', async () => {
    const { task, skippedDatabases } = await it_.backup();
    expect(skippedDatabases).toContainEqual({ name: 'closed', reason: 'ConnectionsNotAllowed' });
    const [manifest, contents] = [await it_.manifest(task), await it_.contents(task)];
    expect(manifest.scope).toBe('Instance');
    expect(contents.databases.map(({ database }) => database)).toEqual([ODD, 'postgres', 'shop'].sort());
    expect(contents.skipped).toEqual(
      expect.arrayContaining([
        { database: 'closed', reason: 'ConnectionsNotAllowed' },
        { database: 'template1', reason: 'Template' },
      ]),
    );
    expect(contents.globals).toMatchObject({ part: 3, rolePasswords: true, format: 'sql' });
    expect(manifest.segments.at(-1)?.key).toMatch(/\/globals\.sql\.zst\.age$/);
    expect(await it_.objects(task.folder)).toHaveLength(6);
    const reader = contents.roles.find(({ name }) => name === 'reader');
    expect(reader).toMatchObject({ login: true, connectionLimit: 7, superuser: false });
    expect(reader?.password).toMatch(/^SCRAM-SHA-256\$/);
    expect(contents.roles.find(({ name }) => name === 'team')).toMatchObject({
      login: false,
      comment: "people of the shop's team",
    });
    expect(contents.memberships).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ role: 'team', member: 'reader', admin: true }),
        expect.objectContaining({ role: 'pg_monitor', member: 'team', admin: false }),
      ]),
    );
    expect(contents.databases.find(({ database }) => database === 'shop')).toMatchObject({
      properties: { owner: 'shop owner' },
      tables: [{ schema: 'public', name: 'orders' }],
    });
    const clear = JSON.stringify(manifest);
    for (const word of ['shop owner', 'reader', 'orders', 'closed']) expect(clear).not.toContain(word);
  });

  test('of a role that may not see passwords says so, and is whole otherwise', async () => {
    const owner = await it_.world.role('modest');
    await it_.world.sql('shop', 'GRANT SELECT ON orders TO modest');
    await it_.world.sql(ODD, 'GRANT SELECT ON "T.x" TO modest');
    await it_.world.sql('postgres', 'GRANT SELECT ON notes TO modest');
    const task = it_.backupTask();
    const { runRunner } = await import('../support/runner-process.ts');
    const secrets = { ...it_.secrets(), database: { username: owner.username, password: PASSWORD } };
    resultOf(await runRunner(task, { secrets, attempt: 'modest' }), 'backup');
    const contents = await it_.contents(task);
    expect(contents.globals.rolePasswords).toBe(false);
    expect(contents.roles.some(({ password }) => password !== undefined)).toBe(false);
    expect(contents.roles.map(({ name }) => name)).toContain('reader');
  });

  test('of a role that may not read one table waits, before anything is dumped', async () => {
    const role = await it_.world.role('half blind');
    await it_.world.sql('shop', 'GRANT SELECT ON orders TO "half blind"');
    const { runRunner } = await import('../support/runner-process.ts');
    const secrets = { ...it_.secrets(), database: { username: role.username, password: PASSWORD } };
    const task = it_.backupTask();
    const failure = failureOf(await runRunner(task, { secrets, attempt: 'blind' }));
    expect(failure).toMatchObject({ reason: 'RightMissing', retry: true });
    expect(failure.message).toContain('"T.x"');
    expect(await it_.objects(task.folder)).toEqual([]);
  });

  test('of a role that may not enter one database waits, and says what grants it', async () => {
    await it_.world.sql('postgres', 'CREATE DATABASE private', 'REVOKE CONNECT ON DATABASE private FROM PUBLIC');
    const role = await it_.world.role('outsider');
    try {
      const { runRunner } = await import('../support/runner-process.ts');
      const secrets = { ...it_.secrets(), database: { username: role.username, password: PASSWORD } };
      const run = await runRunner(it_.backupTask(), { secrets, attempt: 'outsider' });
      expect(failureOf(run)).toMatchObject({
        reason: 'RightMissing',
        retry: true,
        hint: 'GRANT CONNECT ON DATABASE "private" TO "outsider";',
      });
    } finally {
      await it_.world.sql('postgres', 'DROP DATABASE private');
    }
  });

  test('is opened with age, zstd, psql and pg_restore alone, by the recipe in its contents', async () => {
    const { task } = await it_.backup();
    const [manifest, contents] = [await it_.manifest(task), await it_.contents(task)];
    await using another = await instanceWorld();
    const { server } = another.world;
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-by-hand-'));
    const age = await program('age');
    const flat = (text: string) =>
      manifest.segments.reduce((all, { key }) => all.replaceAll(key, key.replace('/', '_')), text);
    try {
      await writeFile(join(folder, 'identity.txt'), `${it_.key.identity}\n`);
      for (const { key } of manifest.segments)
        await writeFile(join(folder, flat(key)), await it_.read(`${task.folder}${key}`));
      let password = server.password;
      for (const line of contents.recipe) {
        await promisify(execFile)('bash', ['-o', 'pipefail', '-c', flat(line).replaceAll('age -d', `${age} -d`)], {
          cwd: folder,
          env: {
            PATH: `${server.bin}:${process.env['PATH']}`,
            PGHOST: server.host,
            PGPORT: String(server.port),
            PGUSER: server.superuser,
            PGPASSWORD: password,
          },
        });
        // As the recipe says of a role that is on both servers.
        if (line.startsWith('psql')) password = it_.world.server.password;
      }
      // The recipe leaves it to the person whose the databases are.
      for (const [index, { database }] of contents.databases.entries()) {
        const { rows, schema } = await it_.world.print(database);
        const { host, port, superuser: user } = server;
        const restored = await fingerprint({ host, port, user, password, database: `restored_${index}` });
        expect(restored).toMatchObject({ rows, schema });
      }
      const index = contents.databases.findIndex(({ database }) => database === 'shop');
      // The password came along: the role gets in with it, and sees what it may see.
      const client = another.world.client(`restored_${index}`, { username: 'reader', password: PASSWORD });
      await client.connect();
      expect((await client.query('SELECT count(*)::int AS n FROM orders')).rows).toEqual([{ n: 500 }]);
      await client.end();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('waits for work on any database, and work on any database for it', async () => {
    const { refusesWhile } = await import('../support/runner-instance-locks.ts');
    expect(await refusesWhile(it_, it_.access('shop'), it_.access())).toMatch(/in use by holdfast backup shop\/first/);
    expect(await refusesWhile(it_, it_.access(), it_.access('shop'))).toMatch(
      /the whole server is in use by holdfast backup shop\/first/,
    );
  });
});

describe('one database out of an archive of a whole server', () => {
  test('is restored beside everything else, under its own name or another', async () => {
    const { task, manifestDigest } = await it_.backup();
    const before = await it_.world.print('shop');
    await it_.world.sql('shop', 'DROP TABLE orders');
    const into = it_.restoreTask(task, manifestDigest, { fromDatabase: 'shop', database: it_.access('shop') });
    expect(resultOf(await it_.restore(into), 'swap').previousDatabase).toMatch(/^shop_before_/);
    expect(await it_.world.print('shop')).toEqual(before);
    const other = it_.restoreTask(task, manifestDigest, { fromDatabase: ODD, database: it_.access('Another "one') });
    resultOf(await it_.restore(other), 'swap');
    expect(await it_.world.print('Another "one')).toEqual(await it_.world.print(ODD));
  });

  test('that is not in it is refused, with the names of those that are', async () => {
    const { task, manifestDigest } = await it_.backup();
    const run = await it_.restore(
      it_.restoreTask(task, manifestDigest, { fromDatabase: 'Shop', database: it_.access('Shop') }),
    );
    expect(failureOf(run)).toMatchObject({ reason: 'DatabaseNotInArchive' });
    expect(failureOf(run).message).toContain('"shop"');
  });
});

describe('the restore of a whole server', () => {
  /** A server of its own, with an archive of it and what it was like. */
  async function backedUp(...further: readonly string[]) {
    const it = await instanceWorld();
    await fillServer(it.world);
    await it.world.sql('shop', ...further);
    // With tables in the maintenance database nothing could be restored through it.
    await it.world.sql('postgres', 'DROP TABLE notes');
    const { task, manifestDigest } = await it.backup();
    const before = { shop: await it.world.print('shop'), odd: await it.world.print(ODD), roles: await rolesOf(it) };
    return { it, task, manifestDigest, before };
  }

  const rolesOf = ({ world }: InstanceWorld) =>
    world
      .sql(
        'postgres',
        `SELECT a.*, shobj_description(a.oid, 'pg_authid') AS comment, s.setconfig,
         (SELECT array_agg(g.rolname || m.admin_option ORDER BY 1) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = a.oid) AS groups
       FROM pg_authid a LEFT JOIN pg_db_role_setting s ON s.setrole = a.oid AND s.setdatabase = 0
       WHERE rolname !~ '^pg_' ORDER BY rolname`,
      )
      .then((rows) => rows.map(({ oid: _, ...row }) => row));

  const namesOf = async ({ world }: InstanceWorld) =>
    (await world.databases()).filter((name) => !name.startsWith('template'));

  async function loseMuch({ world }: InstanceWorld) {
    await world.sql(
      'postgres',
      'DROP DATABASE shop',
      `DROP DATABASE "${ODD.replaceAll('"', '""')}"`,
      'CREATE DATABASE other',
    );
    await world.sql('postgres', 'DROP ROLE reader', 'DROP ROLE team', `ALTER ROLE "shop owner" CONNECTION LIMIT 3`);
  }

  test('brings back databases that are gone and roles that are gone, and leaves alone what is there', async () => {
    const { it, task, manifestDigest, before } = await backedUp('CREATE EXTENSION file_fdw');
    await using _ = it;
    await loseMuch(it);
    const restore = it.restoreTask(task, manifestDigest, { onConflict: 'Fail', streams: 2 });
    const { notAfter: _n, dropPrevious: _d, ...base } = restore;
    const planned = resultOf(await it.run({ ...base, command: 'plan' } as never), 'plan');
    expect(planned).toMatchObject({ refusals: [], alreadyRestored: false, databaseExists: false });
    expect(planned.notes).toEqual([
      `Databases that are restored: "${ODD}", "shop".`,
      'Roles that are made, with their passwords: "reader", "team".',
      'Roles that are there already and stay as they are: "postgres", "shop owner".',
      'Databases of the server that the archive has not, and that stay as they are: "closed", "other".',
      '"postgres" stays as it is: it is the maintenance database, and has no tables in the archive.',
    ]);
    const given = resultOf(await it.run({ ...base, owner: 'team', command: 'plan' } as never), 'plan');
    expect(given.refusals).toMatchObject([
      { reason: 'OwnershipNeedsDatabase', hint: expect.stringContaining('from.database') },
    ]);
    const { username, password = '' } = await it.world.role('keeper', 'CREATEDB CREATEROLE');
    const secrets = { ...it.secrets(), database: { username, password } };
    const lesser = await (await it.start({ ...base, command: 'plan' } as never, { secrets })).ended;
    expect(resultOf(lesser, 'plan').refusals).toContainEqual({
      reason: 'RightMissing',
      message: 'only a superuser may make extension "file_fdw" in "shop"',
      hint: 'restore with a superuser',
    });
    await it.world.sql('postgres', 'DROP ROLE keeper');
    expect(resultOf(await it.restore(restore), 'swap')).toEqual({});
    expect(await it.world.print('shop')).toEqual(before.shop);
    expect(await it.world.print(ODD)).toEqual(before.odd);
    const owner = before.roles.find(({ rolname }) => rolname === 'shop owner');
    expect(await rolesOf(it)).toEqual(
      before.roles.map((role) => (role === owner ? { ...role, rolconnlimit: 3 } : role)),
    );
    expect(await namesOf(it)).toEqual(['closed', 'other', 'postgres', 'shop', ODD].sort());
  });

  test('replaces all of them at once, keeps the previous ones, happens once only, and is cleaned up by its marks', async () => {
    const { it, task, manifestDigest, before } = await backedUp();
    await using _ = it;
    await it.world.sql('shop', 'DROP TABLE orders');
    await it.world.sql(ODD, `UPDATE "T.x" SET v = 'spoilt'`);
    const refused = await it.restore(it.restoreTask(task, manifestDigest, { onConflict: 'Fail' }));
    expect(failureOf(refused)).toMatchObject({ reason: 'TargetNotEmpty' });
    const restore = it.restoreTask(task, manifestDigest);
    const { previousDatabases = [] } = resultOf(await it.restore(restore), 'swap');
    expect(previousDatabases).toHaveLength(2);
    expect(await namesOf(it)).toEqual(['closed', 'postgres', 'shop', ODD, ...previousDatabases].sort());
    expect(await it.world.print('shop')).toEqual(before.shop);
    expect(await it.world.print(ODD)).toEqual(before.odd);
    await it.world.sql('shop', `UPDATE orders SET what = 'since'`);
    expect(resultOf(await it.restore(restore), 'swap')).toEqual({ previousDatabases: [...previousDatabases].sort() });
    expect(await it.world.sql('shop', 'SELECT DISTINCT what FROM orders')).toEqual([{ what: 'since' }]);
    const { run, database, scratchDatabase, previousDatabase } = restore;
    const cleanup = {
      command: 'cleanup',
      run,
      database,
      scratchDatabase,
      previousDatabase,
      dropPrevious: true,
      keepScratch: false,
    } as const;
    expect(resultOf(await it.run(cleanup), 'cleanup')).toEqual({ restored: true, previousDatabases: [] });
    expect(await namesOf(it)).toEqual(['closed', 'postgres', 'shop', ODD].sort());
  });

  test('that cannot load one of them changes none, and leaves no scratch database and no new role', async () => {
    const { it, task, manifestDigest } = await backedUp();
    await using _ = it;
    await it.world.sql('shop', `UPDATE orders SET what = 'live'`);
    await it.world.sql('postgres', 'DROP OWNED BY reader', 'DROP ROLE reader');
    const contents = await it.contents(task);
    const manifest = await it.manifest(task);
    // The last of the dumps: by then the others are loaded.
    const { part } = contents.databases.at(-1)?.parts[0] ?? { part: -1 };
    const key = manifest.segments.find((segment) => segment.part === part)?.key ?? '';
    await it.spoil(`${task.folder}${key}`);
    const run = await it.restore(it.restoreTask(task, manifestDigest));
    expect(failureOf(run)).toMatchObject({ reason: 'ArchiveCorrupt', retry: false });
    expect(await it.world.sql('shop', 'SELECT DISTINCT what FROM orders')).toEqual([{ what: 'live' }]);
    expect(await namesOf(it)).toEqual(['closed', 'postgres', 'shop', ODD].sort());
    expect((await rolesOf(it)).map(({ rolname }) => rolname)).toEqual(['postgres', 'shop owner', 'team']);
  });

  test('that is killed while it loads changes nothing, and a clean-up leaves no scratch database and no new role', async () => {
    const { it } = await backedUp();
    await using _ = it;
    await it.world.sql(
      'shop',
      `CREATE TABLE large AS SELECT n, repeat(md5(n::text), 30) AS text FROM generate_series(1, 60000) n`,
    );
    const { task, manifestDigest } = await it.backup();
    await it.world.sql('postgres', 'DROP OWNED BY reader', 'DROP ROLE reader');
    const before = [await it.world.print('shop'), await rolesOf(it), await namesOf(it)];
    const restore = it.restoreTask(task, manifestDigest);
    const running = await it.start(loadTask(restore));
    const scratch = `SELECT FROM pg_stat_activity WHERE datname = '${restore.scratchDatabase}_1' AND query LIKE 'COPY%'`;
    await waitFor(async () => (await it.world.sql('postgres', scratch)).length > 0, {
      ...{ timeoutMs: 60_000, everyMs: 25 },
      otherwise: () => 'the second database is not being loaded',
    });
    expect((await rolesOf(it)).map(({ rolname }) => rolname)).toContain('reader');
    running.child.kill('SIGKILL');
    await running.ended.catch(() => undefined);
    const { run, database, scratchDatabase, previousDatabase } = restore;
    const cleanup = { command: 'cleanup', run, database, scratchDatabase, previousDatabase } as const;
    const cleaned = await it.run({ ...cleanup, dropPrevious: false, keepScratch: false });
    expect(resultOf(cleaned, 'cleanup')).toEqual({ restored: false, previousDatabases: [] });
    expect([await it.world.print('shop'), await rolesOf(it), await namesOf(it)]).toEqual(before);
  });

  test('refuses to leave out the tables of the maintenance database, and restores through another one', async () => {
    const { it } = await backedUp();
    await using _ = it;
    await it.world.sql('postgres', 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
    const prints = () => Promise.all(['postgres', 'shop', ODD].map(it.world.print));
    const before = await prints();
    const { task, manifestDigest } = await it.backup();
    await it.world.sql('postgres', 'DROP TABLE kept');
    await it.world.sql('shop', 'DELETE FROM orders');
    expect(failureOf(await it.restore(it.restoreTask(task, manifestDigest)))).toMatchObject({
      reason: 'MaintenanceDatabase',
      hint: 'name another one in target.postgresql.maintenanceDatabase, such as template1',
    });
    const database = { ...it.access(), maintenanceDatabase: 'template1' };
    resultOf(await it.restore(it.restoreTask(task, manifestDigest, { database })), 'swap');
    expect(await prints()).toEqual(before);
  });

  test('refuses a tablespace that is not there, by name', async () => {
    const { it } = await backedUp();
    await using _ = it;
    const place = await it.tablespace();
    const { task, manifestDigest } = await it.backup();
    await it.world.sql('postgres', 'DROP TABLESPACE fast');
    expect(failureOf(await it.restore(it.restoreTask(task, manifestDigest)))).toMatchObject({
      reason: 'TablespaceMissing',
      hint: `CREATE TABLESPACE "fast" LOCATION '${place}';`,
    });
  });

  test('is asked for one database where its target names one', async () => {
    const { it, task, manifestDigest } = await backedUp();
    await using _ = it;
    const run = await it.restore(it.restoreTask(task, manifestDigest, { database: it.access('shop') }));
    expect(failureOf(run)).toMatchObject({ reason: 'InstanceNeedsDatabase' });
    expect(failureOf(run).message).toContain(`"${ODD}", "postgres", "shop"`);
  });
});
