import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { load } from '../../../../src/engines/postgres/load.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-load-'));
});

afterAll(() => rm(folder, { recursive: true }));

/** A load whose pg_restore says this and fails. */
async function failureOf(saying: string): Promise<unknown> {
  const pgRestore = join(folder, 'pg_restore');
  await writeFile(pgRestore, `#!/bin/sh\ncat > /dev/null\necho 'pg_restore: error: ${saying}' >&2\nexit 1\n`, {
    mode: 0o755,
  });
  const libpq = { env: {}, folder, [Symbol.asyncDispose]: async () => {} };
  const tools = { pgDump: '', pgRestore, version: '' };
  const program = load({ database: 'shop', tools, libpq, signal: new AbortController().signal });
  program.input.end('data');
  return program.done.catch((caught: unknown) => caught);
}

test.each([
  ['role "app" does not exist', 'CREATE ROLE "app";'],
  ['permission denied to create extension "x"', 'needs a superuser'],
  ['extension "x" is not available', "install the extension's package"],
  ['must be able to SET ROLE "app"', 'GRANT "app" TO …;'],
  ['could not extend file "base/5/16384": No space left on device', 'make room on the disk'],
  ['unrecognized parameter "pg_attver"', 'a pg_dump older than its server'],
])('a load that fails with %j tells what to do', async (saying, hint) => {
  expect(await failureOf(saying)).toMatchObject({
    reason: 'LoadFailed',
    message: expect.stringContaining(saying),
    hint: expect.stringContaining(hint),
  });
});

test('a load that fails for another reason gives no advice', async () => {
  expect(await failureOf('relation "t" does not exist')).toMatchObject({ reason: 'LoadFailed', hint: undefined });
});
