import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { newHeader, openHeader, splitHeader } from '../../src/archive/age/header.ts';
import { openPayload, sealPayload } from '../../src/archive/age/payload.ts';
import { newIdentity, parseIdentities } from '../../src/keys/identities.ts';
import { program } from '../cluster/programs.ts';
import { collect, piecesOf } from '../support/runner-vectors.ts';

jest.setTimeout(60_000);
const exec = promisify(execFile);
const CHUNK = 64 * 1024;
const SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5_000_003];

let age: string;
let keygen: string;
let folder: string;
beforeAll(async () => {
  age = await program('age');
  keygen = await program('age-keygen');
  folder = await mkdtemp(join(tmpdir(), 'holdfast-age-'));
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(['classic', 'post-quantum'] as const)('files to %s keys', (kind) => {
  test.each(SIZES)('of %d bytes that we write are opened by the age program', async (size) => {
    const { identity, recipient } = await newIdentity(kind);
    const plain = randomBytes(size);
    const { header, fileKey } = await newHeader([recipient, (await newIdentity(kind)).recipient]);
    const sealed = Buffer.concat([header, await collect(sealPayload(fileKey, piecesOf(plain, 10_000)))]);
    await writeFile(join(folder, 'ours.age'), sealed);
    await writeFile(join(folder, 'identity.txt'), `${identity}\n`);
    await exec(age, ['-d', '-i', 'identity.txt', '-o', 'opened', 'ours.age'], { cwd: folder });
    expect((await readFile(join(folder, 'opened'))).equals(plain)).toBe(true);
    await rm(join(folder, 'opened'));
  });

  test.each(SIZES)(
    'of %d bytes that the age program writes are opened by us, with the identity of age-keygen',
    async (size) => {
      const flags = kind === 'post-quantum' ? ['-pq'] : [];
      const { stdout: identityFile } = await exec(keygen, flags);
      const recipient = /public key: (\S+)/.exec(identityFile)?.[1] ?? '';
      const plain = randomBytes(size);
      await writeFile(join(folder, 'plain'), plain);
      const child = spawn(age, ['-r', recipient, 'plain'], { cwd: folder });
      const { header, payload } = await splitHeader(child.stdout);
      const fileKey = await openHeader(header, parseIdentities(identityFile));
      expect((await collect(openPayload(fileKey, payload))).equals(plain)).toBe(true);
    },
  );
});
