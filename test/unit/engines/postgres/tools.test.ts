import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findTools } from '../../../../src/engines/postgres/tools.ts';

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-tools-'));
  for (const major of ['9', '16', '17']) {
    const bin = join(root, major, 'bin');
    await mkdir(bin, { recursive: true });
    for (const name of major === '17' ? ['pg_dump'] : ['pg_dump', 'pg_restore']) {
      await writeFile(join(bin, name), `#!/bin/sh\necho "${name} (PostgreSQL) ${major}.4 (Debian ${major}.4-1)"\n`);
      await chmod(join(bin, name), 0o755);
    }
  }
});

afterAll(() => rm(root, { recursive: true }));

test("the programs of the server's own major version are found", async () => {
  expect(await findTools(16, root)).toEqual({
    pgDump: join(root, '16/bin/pg_dump'),
    pgRestore: join(root, '16/bin/pg_restore'),
    version: 'pg_dump 16.4',
  });
});

test.each([18, 17])(
  'a version that is not there, or not whole, is refused and those that are there are named',
  async (major) => {
    await expect(findTools(major, root)).rejects.toMatchObject({
      reason: 'VersionUnsupported',
      outlook: 'final',
      message: expect.stringContaining(`PostgreSQL ${major}, and this image has the programs of 9, 16`),
    });
  },
);
