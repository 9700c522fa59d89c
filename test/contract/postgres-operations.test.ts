import { readdir, readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { DatabaseAccess } from '../../src/api/task.ts';
import type { WritingProgram } from '../../src/engines/engine.ts';
import { dump } from '../../src/engines/postgres/dump.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { hold } from '../../src/engines/postgres/hold.ts';
import { libpq } from '../../src/engines/postgres/libpq.ts';
import { findTools } from '../../src/engines/postgres/tools.ts';
import { cutsOf } from '../support/postgres-dump.ts';
import {
  type Archive,
  aRestore,
  dumpOf,
  type PostgresWorld,
  pieces,
  postgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

let world: PostgresWorld;
let archive: Archive;

beforeAll(async () => {
  world = await postgresWorld();
  await world.sql('postgres', 'CREATE DATABASE shop', 'CREATE DATABASE other');
  await world.sql(
    'shop',
    `CREATE TABLE big AS SELECT i, repeat(md5(i::text), 20) AS text FROM generate_series(1, 30000) i`,
    'CREATE TABLE word AS SELECT 1 AS a',
  );
  archive = await dumpOf(world, 'shop');
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const openSource = (database = 'shop', over: Partial<DatabaseAccess> = {}, login = world.superuser) =>
  postgres.openSource({ ...world.access(database), ...over }, login, {
    ...world.context,
    run: { namespace: 'shop', name: 'nightly', uid: '11112222-3333' },
  });

const sessionsOfOurs = () =>
  world.sql('postgres', `SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'holdfast%'`);

describe('one operation at a time', () => {
  test('works on a database; a second one is told for whom it waits, and another database is free', async () => {
    const first = await openSource();
    const busy = {
      reason: 'DatabaseBusy',
      outlook: 'retry',
      message: expect.stringContaining('database "shop" is in use by holdfast backup shop/nightly 11112222'),
    };
    await expect(openSource()).rejects.toMatchObject(busy);
    // Another name for the same server does not help.
    await expect(openSource('shop', { host: 'localhost' })).rejects.toMatchObject(busy);
    await expect(
      postgres.openTarget(world.access('shop'), world.superuser, requestFor(archive, 'shop'), world.context),
    ).rejects.toMatchObject(busy);
    await using other = await openSource('other');
    expect(other.tables).toEqual([]);
    await first[Symbol.asyncDispose]();
    await using again = await openSource();
    expect(again.tables).toEqual([
      { schema: 'public', name: 'big' },
      { schema: 'public', name: 'word' },
    ]);
  });

  test('and whoever has gone leaves neither sessions nor files with passwords behind', async () => {
    await (await openSource())[Symbol.asyncDispose]();
    await sleep(100);
    expect(await sessionsOfOurs()).toEqual([]);
    expect(await readdir(world.context.temporary)).toEqual([]);
  });

  test('a run that loses the session with its lock is ended, its programs too', async () => {
    await using source = await openSource();
    const program = source.dump();
    await world.sql('postgres', `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`);
    await expect(program.done).rejects.toMatchObject({ reason: 'LockLost' });
    await expect(source.dump().done).rejects.toMatchObject({ reason: 'LockLost' });
  });

  test('a run that is told to end takes its program along', async () => {
    const stop = new AbortController();
    await using source = await postgres.openSource(world.access('shop'), world.superuser, {
      ...world.context,
      signal: stop.signal,
    });
    const program = source.dump();
    stop.abort(new Error('the pod ends'));
    await expect(program.done).rejects.toMatchObject({
      reason: 'Interrupted',
      message: expect.stringContaining('the pod ends'),
    });
  });
});

describe('a dump', () => {
  test('that is killed half-way is a failure', async () => {
    await using source = await openSource();
    const program = source.dump();
    program.output.once('data', () => program.kill());
    await expect(program.done).rejects.toMatchObject({ reason: 'DumpFailed', outlook: 'final' });
  });

  test('whose server process is ended half-way is a failure that says so', async () => {
    await using source = await openSource();
    const program = source.dump();
    program.output.pause();
    const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name LIKE 'holdfast backup%' AND datname = 'shop' AND query LIKE 'COPY%'`;
    while ((await world.sql('shop', end)).length === 0) await sleep(50);
    program.output.resume();
    await expect(program.done).rejects.toMatchObject({
      reason: 'DumpFailed',
      // Which of the two is heard depends on what is still in the pipe.
      message: expect.stringMatching(
        /server closed the connection unexpectedly|terminating connection due to administrator/,
      ),
    });
  });

  test('that a role may not take is not begun, and one whose right goes meanwhile fails with the statement that helps', async () => {
    const login = await world.role('powerless');
    const hint = expect.stringContaining('GRANT pg_read_all_data TO "powerless"');
    await expect(openSource('shop', {}, login)).rejects.toMatchObject({
      reason: 'RightMissing',
      outlook: 'retry',
      hint,
    });
    await world.sql('postgres', 'GRANT pg_read_all_data TO powerless', 'ALTER ROLE powerless BYPASSRLS');
    await using source = await openSource('shop', {}, login);
    await world.sql('postgres', 'REVOKE pg_read_all_data FROM powerless');
    await expect(source.dump().done).rejects.toMatchObject({
      reason: 'DumpFailed',
      message: expect.stringContaining('permission denied'),
      hint,
    });
  });

  test('that waits too long for a table says who holds it', async () => {
    const client = world.client('shop');
    await using _ = { [Symbol.asyncDispose]: () => client.end() };
    await client.connect();
    await client.query('BEGIN; LOCK TABLE word IN ACCESS EXCLUSIVE MODE');
    await using held = await hold(world.access('shop'), world.superuser, 'holdfast backup', world.context);
    await using access = await libpq(held.endpoint('shop'), world.context.temporary);
    const job = { database: 'shop', tools: await findTools(world.server.major), libpq: access, ...held };
    await expect(dump(job, 200).done).rejects.toMatchObject({
      reason: 'DumpFailed',
      message: expect.stringMatching(
        /a table stayed locked for too long by server process \d+ \(test, role "postgres"\)/,
      ),
    });
  });

  test.each([
    ['whole', 0, undefined],
    ['cut by one byte', 1, 'DumpUnreadable'],
    ['cut in the middle', 500_000, 'DumpUnreadable'],
  ])('that is %s is found out by reading it to its end', async (_, cut, reason) => {
    await using source = await openSource();
    const reader = source.readToEnd();
    const bytes = archive.bytes.subarray(0, archive.bytes.length - cut);
    const [, outcome] = await Promise.allSettled([pipeline(Readable.from(pieces(bytes)), reader.input), reader.done]);
    expect(outcome).toMatchObject(reason === undefined ? { status: 'fulfilled' } : { reason: { reason } });
  });
});

describe('a load', () => {
  const scratch = async (request = requestFor(archive, 'shop')) => {
    const target = await postgres.openTarget(world.access('shop'), world.superuser, request, world.context);
    await target.createScratch(archive.properties);
    return { target, request };
  };

  test('that is killed half-way leaves the live database alone, and the next attempt starts afresh', async () => {
    const before = await world.print('shop');
    const { target, request } = await scratch();
    const program = target.load();
    program.input.write(archive.bytes.subarray(0, 1_000_000));
    await sleep(300);
    program.kill();
    await expect(program.done).rejects.toMatchObject({ reason: 'LoadFailed' });
    await target.createScratch(archive.properties);
    expect((await world.print(request.scratchDatabase)).rows).toEqual({});
    await target.dropScratch();
    await target.dropScratch();
    await target[Symbol.asyncDispose]();
    expect(await world.databases()).not.toContain(request.scratchDatabase);
    expect(await world.print('shop')).toEqual(before);
  });

  test.each([
    ['whose data end early', (program: WritingProgram) => program.input.end(archive.bytes.subarray(0, 1_000_000))],
    [
      'whose input is closed with everything written but not ended',
      (program: WritingProgram) => program.input.write(archive.bytes, () => program.input.destroy()),
    ],
  ])('%s is a failure', async (_, act) => {
    const { target } = await scratch();
    const program = target.load();
    act(program);
    await expect(program.done).rejects.toMatchObject({ reason: 'LoadFailed', outlook: 'final' });
    await target.dropScratch();
    await target[Symbol.asyncDispose]();
  });

  test('of an archive that is cut, wherever that is, is a failure', async () => {
    await world.sql('postgres', 'CREATE DATABASE small');
    await world.sql(
      'small',
      'CREATE TABLE t (id int PRIMARY KEY, what text)',
      `INSERT INTO t SELECT n, 'row ' || n FROM generate_series(1, 50) n`,
      'CREATE VIEW v AS SELECT what FROM t',
    );
    const small = await dumpOf(world, 'small');
    const before = await world.print('small');
    const request = requestFor(small, 'small');
    await using target = await postgres.openTarget(world.access('small'), world.superuser, request, world.context);
    const cuts = cutsOf(small.bytes);
    expect(cuts.length).toBeGreaterThan(10);
    for (const cut of cuts) {
      await target.createScratch(small.properties);
      const program = target.load();
      program.input.on('error', () => undefined);
      program.input.end(small.bytes.subarray(0, cut));
      await expect(program.done).rejects.toMatchObject({ outlook: 'final' });
    }
    await target.dropScratch();
    expect(await world.print('small')).toEqual(before);
    expect(await world.databases()).not.toContain(request.previousDatabase);
  }, 120_000);

  test('does not finish before its input is ended, even with every byte there', async () => {
    const { target, request } = await scratch();
    const program = target.load();
    let over = false;
    void program.done.then(() => {
      over = true;
    });
    await new Promise((resolve) => program.input.write(archive.bytes, resolve));
    await sleep(1_000);
    expect(over).toBe(false);
    program.input.end();
    await program.done;
    const { rows, schema } = await world.print('shop');
    expect(await world.print(request.scratchDatabase)).toMatchObject({ rows, schema });
    await target.dropScratch();
    await target[Symbol.asyncDispose]();
  });

  test('of objects of a role that is missing names it', async () => {
    await world.sql('postgres', 'CREATE ROLE passing', 'CREATE DATABASE theirs');
    await world.sql(
      'theirs',
      'CREATE TABLE t (a int)',
      'ALTER TABLE t OWNER TO passing',
      `INSERT INTO t VALUES (271828)`,
    );
    const theirs = await dumpOf(world, 'theirs');
    await world.sql('theirs', 'DROP TABLE t');
    await world.sql('postgres', 'DROP ROLE passing');
    const { target } = await scratch(requestFor(theirs, 'theirs'));
    const program = target.load();
    program.input.end(theirs.bytes);
    await expect(program.done).rejects.toMatchObject({
      reason: 'LoadFailed',
      message: expect.stringContaining('role "passing" does not exist'),
      hint: expect.stringContaining('CREATE ROLE "passing"'),
    });
    await target.dropScratch();
    await target[Symbol.asyncDispose]();
  });

  test('that fails on a row does not repeat the row', async () => {
    await world.sql('postgres', 'CREATE DATABASE odd');
    await world.sql(
      'odd',
      'CREATE TABLE t (secret text)',
      `INSERT INTO t VALUES ('canary-row')`,
      `CREATE FUNCTION ok(text) RETURNS bool LANGUAGE sql AS $$ SELECT current_database() = 'odd' $$`,
      'ALTER TABLE t ADD CHECK (ok(secret))',
    );
    const odd = await dumpOf(world, 'odd');
    const { target } = await scratch(requestFor(odd, 'odd'));
    const program = target.load();
    program.input.end(odd.bytes);
    const failure = await program.done.then(
      () => undefined,
      (caught: Error & { reason?: string }) => caught,
    );
    expect(failure).toMatchObject({
      reason: 'LoadFailed',
      message: expect.stringContaining('violates check constraint'),
    });
    expect(JSON.stringify(failure) + failure?.message).not.toContain('canary-row');
    await target.dropScratch();
    await target[Symbol.asyncDispose]();
  });

  test('is hidden from everybody but the owner', async () => {
    const login = await world.role('curious');
    const { target, request } = await scratch(requestFor(archive, 'shop', { run: aRestore({ name: 'hidden' }) }));
    const client = world.client(request.scratchDatabase, login);
    await expect(client.connect()).rejects.toThrow('permission denied for database');
    await target.dropScratch();
    await target[Symbol.asyncDispose]();
  });
});

test('what a program is told holds no password', async () => {
  await using source = await openSource();
  const program = source.dump();
  const pid = await pidOf('pg_dump');
  const [line, environment] = await Promise.all(
    ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')),
  );
  expect(line).toContain("dbname='shop'");
  expect(environment).toContain('PGPASSFILE=');
  for (const text of [line, environment]) expect(text).not.toContain(world.superuser.password);
  await Promise.all([buffer(program.output), program.done]);
});

async function pidOf(name: string): Promise<string> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (status.startsWith(`Name:\t${name}\n`) && status.includes(`PPid:\t${process.pid}\n`)) return pid;
  }
  throw new Error(`${name} is not running`);
}
