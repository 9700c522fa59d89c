import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { backUp, printOf } from '../support/e2e-runs.ts';
import { aScene, contentOf, type Scene } from '../support/e2e-scene.ts';
import { eventually } from '../support/e2e-wait.ts';
import { kubectlIn, sql, theWorld, WORLD_NAMESPACE } from '../support/e2e-world.ts';

const call = promisify(execFile);

let scene: Scene;
let folder: string;

beforeAll(async () => {
  scene = await aScene('stock-tools', { without: ['app'] });
  folder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await scene[Symbol.asyncDispose]();
});

async function download(key: string, to: string): Promise<void> {
  const { Body } = await scene.s3.send(new GetObjectCommand({ Bucket: scene.bucket, Key: key }));
  await pipeline(Body as Readable, createWriteStream(to));
}

test('the stock age, zstd and pg_restore open the archive', async () => {
  await backUp(scene, 'first');
  const part = (await contentOf(scene)).keys.find((key) => key.endsWith('/part-00000.pgdump.zst.age'));
  const at = (name: string) => join(folder, name);
  await download(part ?? 'no part in the bucket', at('part.age'));
  await writeFile(at('key'), scene.identity);

  await call(theWorld().programs.age, [
    '--decrypt',
    '--identity',
    at('key'),
    '--output',
    at('part.zst'),
    at('part.age'),
  ]);
  await call('zstd', ['--decompress', '--quiet', '-o', at('part.pgdump'), at('part.zst')]);

  // The server's own pod has the pg_restore of its version.
  const world = kubectlIn(WORLD_NAMESPACE);
  const [pod] = await world.list<{ metadata: { name: string } }>('pod', 'app=postgres');
  const inPod = ['exec', pod?.metadata.name ?? '', '-c', 'postgres', '--'];
  await world.call(['cp', '-c', 'postgres', at('part.pgdump'), `${pod?.metadata.name}:/tmp/stock-tools.pgdump`]);
  await sql('postgres', 'DROP DATABASE IF EXISTS "stock-tools-opened"');
  await sql('postgres', 'CREATE DATABASE "stock-tools-opened"');
  await world.call([...inPod, 'pg_restore', '--exit-on-error', '-d', 'stock-tools-opened', '/tmp/stock-tools.pgdump']);
  await world.call([...inPod, 'rm', '/tmp/stock-tools.pgdump']);

  // What is of the database itself is left to the person whose it is.
  const { rows, schema } = await printOf(scene);
  expect(await printOf({ database: 'stock-tools-opened' })).toMatchObject({ rows, schema });
  // Another file may be backing up the whole server.
  await eventually('it is dropped', () =>
    sql('postgres', 'DROP DATABASE IF EXISTS "stock-tools-opened"').then(
      () => true,
      () => false,
    ),
  );
});
