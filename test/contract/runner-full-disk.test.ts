/** A disk that is full, as a small file system of its own below a tablespace. */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { run } from '../cluster/command.ts';
import { removeFolder } from '../cluster/mounts.ts';
import { tempDir } from '../cluster/temp-dir.ts';
import { failureOf, type InstanceWorld, instanceWorld, resultOf } from '../support/runner-instance.ts';

jest.setTimeout(180_000);

let it: InstanceWorld;
let folder: string;

/** Two empty databases are in it, and little more. */
const SMALL = '28m';

beforeAll(async () => {
  it = await instanceWorld();
  folder = await tempDir('full-disk');
  await chmod(folder, 0o755);
  const owner = ['uid', 'gid'].map(async (what) => `${what}=${await run('id', [`-${what[0]}`, 'postgres'])}`);
  await run('mkdir', [join(folder, 'disk')]);
  const options = ['mode=0700', `size=${SMALL}`, ...(await Promise.all(owner))].map((text) => text.trim()).join(',');
  await run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', join(folder, 'disk')]);
  await it.world.sql('postgres', `CREATE TABLESPACE small LOCATION '${join(folder, 'disk')}'`);
}, 600_000);

afterAll(async () => {
  await it[Symbol.asyncDispose]();
  await removeFolder(folder);
});

async function free(): Promise<number> {
  return Number((await run('df', ['--output=avail', '-B1', join(folder, 'disk')])).trim().split('\n').at(-1));
}

test.each([
  ['rows', ['CREATE TABLE t (id int, what text)'], 'COPY failed'],
  ['an index', ['CREATE TABLE t (id int, what text)', 'CREATE INDEX i ON t (what, id)'], 'could not execute query'],
])('a disk that has no room for %s: nothing is changed, and the way out is told', async (what, schema, doing) => {
  const rows = what === 'rows' ? 40_000 : 9_000;
  const name = what === 'rows' ? 'rows' : 'indexed';
  await it.world.sql('postgres', `CREATE DATABASE ${name}`);
  await it.world.sql(
    name,
    ...schema,
    `INSERT INTO t SELECT n, (SELECT string_agg(md5((n * 100 + k)::text), '') FROM generate_series(1, 25) k)
     FROM generate_series(1, ${rows}) n`,
  );
  const { rows: content } = await it.world.print(name);
  const { task, manifestDigest } = await it.backup({ database: it.access(name) });
  await it.world.sql('postgres', `DROP DATABASE ${name}`, `CREATE DATABASE ${name} TABLESPACE small`);
  await it.world.sql(name, 'CREATE TABLE live (n int)', 'INSERT INTO live VALUES (1)');
  // Of a database just made the files have holes; with no room to fill them no checkpoint succeeds, and so no DROP DATABASE.
  await it.world.sql('postgres', 'CHECKPOINT');
  const [live, room] = [await it.world.print(name), await free()];

  const failed = failureOf(await it.restore(it.restoreTask(task, manifestDigest, { database: it.access(name) })));
  expect(failed).toMatchObject({ reason: 'LoadFailed', retry: false });
  expect(failed.message).toContain(doing);
  expect(failed.message).toContain('No space left on device');
  expect(failed.hint).toContain('make room on the disk of the database server');
  expect(await it.world.print(name)).toEqual(live);
  expect((await it.world.databases()).filter((each) => each.startsWith('holdfast_'))).toEqual([]);
  await it.world.sql('postgres', 'CHECKPOINT');
  expect(Math.abs(room - (await free()))).toBeLessThan(1_000_000);

  await run('mount', ['-o', 'remount,size=200m', join(folder, 'disk')]);
  resultOf(await it.restore(it.restoreTask(task, manifestDigest, { database: it.access(name) })), 'swap');
  expect((await it.world.print(name)).rows).toEqual(content);
  await it.world.sql('postgres', ...(await dropsOf(name)), 'CHECKPOINT');
  await run('mount', ['-o', `remount,size=${SMALL}`, join(folder, 'disk')]);
});

async function dropsOf(name: string): Promise<readonly string[]> {
  const names = (await it.world.databases()).filter((each) => each === name || each.startsWith(`${name}_before_`));
  return names.map((each) => `DROP DATABASE "${each}"`);
}
