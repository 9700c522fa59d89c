import { mkdtemp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { WritingProgram } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { HoldfastError } from '../../src/lib/errors.ts';
import { waitFor } from '../cluster/wait.ts';
import {
  type Archive,
  dumpOf,
  inTheFuture,
  loadInto,
  type PostgresWorld,
  pieces,
  postgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

const STREAMS = 3;
/** Of some 5 MB. */
const ROWS = 100_000;

let world: PostgresWorld;
let archive: Archive;

beforeAll(async () => {
  world = await postgresWorld();
  await world.role('app');
  await world.sql('postgres', 'CREATE DATABASE shop OWNER app');
  await world.sql(
    'shop',
    'CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text)',
    `INSERT INTO orders (note) SELECT repeat(md5(n::text), 1 + n % 2) FROM generate_series(1, ${ROWS}) n`,
    'CREATE TABLE words (only_one text)',
    `INSERT INTO words VALUES (''), ('\\.'), (E'\\n'), (E'\\\\.\\n'), (NULL), ('.')`,
    `INSERT INTO words SELECT CASE WHEN n % 3 = 0 THEN '' ELSE E'\\\\\\n' || n END FROM generate_series(1, 30000) n`,
    'CREATE TABLE nothing ()',
    'INSERT INTO nothing SELECT FROM generate_series(1, 5)',
    "SELECT lo_from_bytea(4711, 'bytes of a large object')",
    // Whose owner has taken his own rights away, as one does with what is only to be read.
    'ALTER TABLE words OWNER TO app',
    'REVOKE ALL ON words FROM app',
  );
  archive = await dumpOf(world, 'shop');
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** Of what is at work in the scratch databases. */
const atWork = () =>
  world.sql(
    'postgres',
    "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'holdfast\\_%' AND backend_type = 'client backend'",
  );

async function openTarget(bytes = archive.bytes) {
  const context = { ...world.context, temporary: await mkdtemp(join(world.context.temporary, 'run-')) };
  const request = requestFor({ ...archive, bytes }, 'shop', { streams: STREAMS });
  const target = await postgres.openTarget(world.access('shop'), world.superuser, request, context);
  return { target, request, context };
}

/** The server notices within moments that its client is gone. */
const nobodyAtWork = () =>
  waitFor(async () => (await atWork()).length === 0, {
    timeoutMs: 10_000,
    otherwise: () => 'a session of the load is still there',
  });

/** As the runner does it: on any failure the program is killed, and is gone before its input is closed. */
async function failed(program: WritingProgram, send: () => Promise<void>): Promise<unknown> {
  const sending = send().catch(() => program.kill());
  const caught = await program.done.then(
    () => undefined,
    (error: unknown) => error,
  );
  await sending;
  program.input.destroy();
  return caught;
}

test('rows come by as many connections as there are streams, and the database is the same', async () => {
  const before = await world.print('shop');
  const { target: opened, request, context } = await openTarget();
  await using target = opened;
  await loadInto(target, archive);
  expect((await readdir(context.temporary, { recursive: true })).filter((name) => name.includes('head'))).toEqual([]);
  await target.swap(inTheFuture());
  // A connection brings the rows of a table in one transaction.
  const [{ connections } = {}] = await world.sql(
    'shop',
    'SELECT count(DISTINCT xmin::text) AS connections FROM orders',
  );
  expect(Number(connections)).toBe(STREAMS);
  expect(await world.print('shop')).toEqual(before);
  await target.dropPrevious();
  expect(await world.databases()).not.toContain(request.previousDatabase);
}, 60_000);

test.each([
  ['in its table of contents', 200],
  ['among the rows', 3_000_000],
  ['before its last block ended', -3],
])(
  'a dump that ends %s is a failure, with nobody left at work',
  async (_, end) => {
    const bytes = archive.bytes.subarray(0, end);
    const { target: opened } = await openTarget(bytes);
    await using target = opened;
    await expect(loadInto(target, { ...archive, bytes })).rejects.toMatchObject({ reason: 'ArchiveCorrupt' });
    await nobodyAtWork();
    await target.dropScratch();
  },
  60_000,
);

test('one that is refused its rows ends them all, and what the server said is told', async () => {
  const bytes = Buffer.from(archive.bytes);
  // In the middle of the rows: the number of one is none any more.
  const at = bytes.indexOf(`${ROWS - 10}\t`);
  expect(at).toBeGreaterThan(0);
  bytes.write('x', at);
  const { target: opened } = await openTarget(bytes);
  await using target = opened;
  const caught = await loadInto(target, { ...archive, bytes }).catch((error: unknown) => error);
  expect(caught).toBeInstanceOf(HoldfastError);
  expect(caught).toMatchObject({
    reason: 'LoadFailed',
    message: expect.stringContaining('invalid input syntax for type bigint'),
  });
  await nobodyAtWork();
  await target.dropScratch();
}, 60_000);

test('a load that is ended leaves nobody at work', async () => {
  const { target: opened } = await openTarget();
  await using target = opened;
  await target.createScratch(archive.properties);
  const program = target.load();
  const half = Readable.from(pieces(archive.bytes.subarray(0, 2_500_000)));
  let wereAtWork = false;
  const caught = await failed(program, async () => {
    await pipeline(half, program.input, { end: false });
    await waitFor(async () => (await atWork()).length === STREAMS, {
      timeoutMs: 20_000,
      otherwise: () => 'nobody is at work',
    });
    wereAtWork = true;
    throw new Error('the store is gone');
  });
  expect(wereAtWork).toBe(true);
  expect(caught).toBeInstanceOf(Error);
  await nobodyAtWork();
  await target.dropScratch();
}, 60_000);

test('a dump of a format that we do not know is left to pg_restore', async () => {
  const bytes = Buffer.from(archive.bytes);
  // The minor number of the format.
  bytes[6] = 99;
  const { target: opened } = await openTarget(bytes);
  await using target = opened;
  await expect(loadInto(target, { ...archive, bytes })).rejects.toMatchObject({
    reason: 'LoadFailed',
    message: expect.stringContaining('unsupported version (1.99)'),
  });
  await target.dropScratch();
}, 60_000);
