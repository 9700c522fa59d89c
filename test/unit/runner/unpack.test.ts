import { zstdCompressSync } from 'node:zlib';
import { describe, expect, jest, test } from '@jest/globals';
import { newHeader } from '../../../src/archive/age/header.ts';
import { sealPayload } from '../../../src/archive/age/payload.ts';
import type { WritingProgram } from '../../../src/engines/engine.ts';
import { newIdentity } from '../../../src/keys/identities.ts';
import { exitProblem, startWriting } from '../../../src/platform/subprocess.ts';
import { Meter, type SizedDigest, sizedDigestOf } from '../../../src/runner/stages/meter.ts';
import { unpack } from '../../../src/runner/unpack.ts';
import { fakeContent } from '../../support/runner-fake-engine.ts';
import { asyncPiecesOf, collect } from '../../support/runner-vectors.ts';

jest.setTimeout(30_000);

const content = await fakeContent(1_000_000);
const { identity, recipient } = await newIdentity('classic');
const { header, fileKey } = await newHeader([recipient]);
const file = Buffer.concat([header, await collect(sealPayload(fileKey, [zstdCompressSync(content)]))]);

/** `cat` as a loader, with a record of what it was given. */
function loader() {
  const seen = { bytes: 0, ended: false, killed: false };
  const program = startWriting({ command: 'sh', args: ['-c', 'cat > /dev/null'] });
  const write = program.stdin.write.bind(program.stdin) as (...all: unknown[]) => boolean;
  program.stdin.write = ((chunk: Buffer, ...rest: unknown[]) => {
    seen.bytes += chunk.length;
    return write(chunk, ...rest);
  }) as typeof program.stdin.write;
  const end = program.stdin.end.bind(program.stdin) as () => typeof program.stdin;
  program.stdin.end = (() => {
    seen.ended = true;
    return end();
  }) as typeof program.stdin.end;
  const done = program.done.then((exit) => {
    const problem = exitProblem(exit);
    if (problem !== undefined) throw new Error(problem);
  });
  done.catch(() => {});
  const start = (): WritingProgram => ({
    input: program.stdin,
    done,
    kill: () => {
      seen.killed = true;
      program.kill({ now: true });
    },
  });
  return { seen, start, exit: program.done };
}

const unpackInto = (start: () => WritingProgram, plain: SizedDigest, stored: Uint8Array = file) =>
  unpack({
    read: () => asyncPiecesOf(stored, 50_000),
    identities: [identity],
    plain,
    start,
    signal: new AbortController().signal,
    meter: new Meter(),
  });

describe('unpacking', () => {
  test('gives the loader all of the dump, then the end', async () => {
    const { seen, start } = loader();
    await unpackInto(start, sizedDigestOf(content));
    expect(seen).toEqual({ bytes: content.length, ended: true, killed: false });
  });

  test.each([
    ['has another digest', { ...sizedDigestOf(content), sha256: `sha256:${'0'.repeat(64)}` }],
    ['should be longer', { ...sizedDigestOf(content), size: content.length + 1 }],
    ['should be shorter', { ...sizedDigestOf(content), size: content.length - 1 }],
  ])('a dump that %s kills the loader before it has its last piece', async (_, plain) => {
    const { seen, start, exit } = loader();
    await expect(unpackInto(start, plain)).rejects.toMatchObject({ reason: 'ArchiveCorrupt' });
    expect(seen).toMatchObject({ ended: false, killed: true });
    expect(seen.bytes).toBeLessThan(content.length);
    expect((await exit).signal).toBe('SIGKILL');
  });

  test('a file without its last byte kills the loader before it has its last piece', async () => {
    const { seen, start } = loader();
    await expect(unpackInto(start, sizedDigestOf(content), file.subarray(0, -1))).rejects.toMatchObject({
      reason: 'ArchiveCorrupt',
    });
    expect(seen).toMatchObject({ ended: false, killed: true });
    expect(seen.bytes).toBeLessThan(content.length);
  });

  test('a few bytes that say they are many are stopped at what the contents promise', async () => {
    const bomb = await collect(sealPayload(fileKey, [zstdCompressSync(Buffer.alloc(200_000_000))]));
    const { seen, start } = loader();
    const promised = sizedDigestOf(Buffer.alloc(1_000_000));
    await expect(unpackInto(start, promised, Buffer.concat([header, bomb]))).rejects.toMatchObject({
      reason: 'ArchiveCorrupt',
    });
    expect(seen.bytes).toBeLessThanOrEqual(1_000_000);
  });

  test('bytes behind the compressed dump are no part of it', async () => {
    const compressed = Buffer.concat([zstdCompressSync(content), Buffer.from('more')]);
    const longer = Buffer.concat([header, await collect(sealPayload(fileKey, [compressed]))]);
    const { seen, start } = loader();
    await expect(unpackInto(start, sizedDigestOf(content), longer)).rejects.toMatchObject({ reason: 'StageFailed' });
    expect(seen.ended).toBe(false);
  });
});
