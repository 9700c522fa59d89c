import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { openHeader, splitHeader } from '../../../../src/archive/age/header.ts';
import { openPayload, sealPayload } from '../../../../src/archive/age/payload.ts';
import { toHoldfastError } from '../../../../src/lib/errors.ts';
import { asyncPiecesOf, collect, nativeVectors, piecesOf, type Vector } from '../../../support/runner-vectors.ts';

const vectors = nativeVectors();
const LARGE = 300_000;

/** Opens as a restore does, keeping everything that was given out before an error. */
async function open(vector: Vector, pieceSize: number): Promise<{ plain: Buffer; reason: string | undefined }> {
  const given: Buffer[] = [];
  try {
    const { header, payload } = await splitHeader(asyncPiecesOf(vector.file, pieceSize));
    const fileKey = await openHeader(header, vector.identities);
    for await (const plain of openPayload(fileKey, payload)) given.push(Buffer.from(plain));
    return { plain: Buffer.concat(given), reason: undefined };
  } catch (caught) {
    return { plain: Buffer.concat(given), reason: toHoldfastError(caught).reason };
  }
}

function reasonFor(expectation: Vector['expect']): string | undefined {
  if (expectation === 'success') return undefined;
  return expectation === 'no match' ? 'KeyMismatch' : 'ArchiveCorrupt';
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

test('there are 85 public vectors of native recipients', () => {
  expect(vectors).toHaveLength(85);
});

describe.each(vectors)('vector $name', (vector) => {
  const whole = vector.file.length || 1;
  // Byte by byte is slow for the few files of several megabytes; odd pieces cross every edge of those.
  const sizes = [whole, 4096, 65_537, ...(vector.file.length < LARGE ? [1, 7, 17] : [9973])];

  test.each(sizes)(`ends as "${vector.expect}" in pieces of %d bytes and gives out nothing else`, async (size) => {
    const { plain, reason } = await open(vector, size);
    expect(reason).toBe(reasonFor(vector.expect));
    if (vector.payload !== undefined) expect(sha256(plain)).toBe(vector.payload);
  });
});

describe.each(vectors.filter(({ expect }) => expect === 'success'))('payload of $name', (vector) => {
  test('sealed again and opened again is the same', async () => {
    const { plain } = await open(vector, vector.file.length);
    const fileKey = Buffer.from(vector.fileKey ?? '', 'hex');
    const sealed = await collect(sealPayload(fileKey, piecesOf(plain, 10_007)));
    const { header } = await splitHeader(asyncPiecesOf(vector.file, 1000));
    expect(sealed).toHaveLength(vector.file.length - header.length);
    expect((await collect(openPayload(fileKey, [sealed]))).equals(plain)).toBe(true);
  });
});
