import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { Decrypter, Encrypter } from 'age-encryption';
import {
  HEADER_LIMIT,
  HeaderSplitter,
  newHeader,
  openHeader,
  splitHeader,
} from '../../../../src/archive/age/header.ts';
import { CHUNK_BYTES, openPayload, sealPayload } from '../../../../src/archive/age/payload.ts';
import { newIdentity } from '../../../../src/keys/identities.ts';
import fc from '../../../support/fast-check.ts';
import { asyncPiecesOf, collect, piecesOf } from '../../../support/runner-vectors.ts';

const SEALED = CHUNK_BYTES + 16;
const fileKey = randomBytes(16);
const open = (payload: Uint8Array) => collect(openPayload(fileKey, [payload]));
const seal = (plain: Uint8Array, pieceSize = 1_000_000) => collect(sealPayload(fileKey, piecesOf(plain, pieceSize)));

/** Sizes around the edges of chunks, where mistakes live. */
const plainSize = fc.oneof(
  fc.integer({ min: 0, max: 200 }),
  fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: -20, max: 20 }))
    .map(([chunks, offset]) => chunks * CHUNK_BYTES + offset),
);
const pieceSize = fc.oneof(fc.integer({ min: 50, max: 5000 }), fc.integer({ min: SEALED - 5, max: 2 * SEALED + 5 }));

describe('the payload', () => {
  test('comes back as it went in, whatever the pieces it is written and read in', async () => {
    await fc.assert(
      fc.asyncProperty(plainSize, pieceSize, pieceSize, async (size, writing, reading) => {
        const plain = randomBytes(size);
        const sealed = await seal(plain, writing);
        expect((await collect(openPayload(fileKey, piecesOf(sealed, reading)))).equals(plain)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('cut anywhere is an error', async () => {
    await fc.assert(
      fc.asyncProperty(plainSize, fc.double({ min: 0, max: 1, noNaN: true }), async (size, where) => {
        const sealed = await seal(randomBytes(size));
        const length = Math.min(sealed.length - 1, Math.floor(where * sealed.length));
        await expect(open(sealed.subarray(0, length))).rejects.toMatchObject({ reason: 'ArchiveCorrupt' });
      }),
      { numRuns: 80 },
    );
  });

  test('cut at every byte of nonce, first tag and the chunks at the end is an error', async () => {
    const sealed = await seal(randomBytes(CHUNK_BYTES + 3));
    const edges = [16, SEALED + 16, sealed.length].flatMap((edge) => [...Array(40).keys()].map((k) => edge - 20 + k));
    for (const length of edges.filter((edge) => edge >= 0 && edge < sealed.length)) {
      await expect(open(sealed.subarray(0, length))).rejects.toMatchObject({ reason: 'ArchiveCorrupt' });
    }
  });

  test('with one bit turned is an error', async () => {
    await fc.assert(
      fc.asyncProperty(plainSize, fc.nat(), fc.nat(7), async (size, at, bit) => {
        const sealed = await seal(randomBytes(size));
        const index = at % sealed.length;
        sealed[index] = (sealed[index] ?? 0) ^ (1 << bit);
        await expect(open(sealed)).rejects.toMatchObject({ reason: 'ArchiveCorrupt' });
      }),
      { numRuns: 60 },
    );
  });

  test('with chunks swapped, repeated or left out is an error, and nothing behind the first wrong one is given out', async () => {
    const sealed = await seal(randomBytes(4 * CHUNK_BYTES));
    const chunk = (n: number) => sealed.subarray(16 + n * SEALED, 16 + (n + 1) * SEALED);
    for (const order of [
      [0, 2, 1, 3],
      [0, 0, 1, 2, 3],
      [0, 2, 3],
      [0, 1, 2],
      [0, 1, 2, 3, 3],
    ]) {
      const given: Uint8Array[] = [];
      const wrong = Buffer.concat([sealed.subarray(0, 16), ...order.map(chunk)]);
      const reading = async () => {
        for await (const plain of openPayload(fileKey, [wrong])) given.push(plain);
      };
      await expect(reading()).rejects.toMatchObject({ reason: 'ArchiveCorrupt' });
      const inOrder = order.findIndex((n, index) => n !== index);
      expect(given.length).toBeLessThanOrEqual(inOrder === -1 ? order.length : inOrder);
    }
  });

  test('never uses one nonce twice', async () => {
    const nonces = new Set<string>();
    for (let round = 0; round < 1000; round += 1)
      nonces.add((await seal(Buffer.alloc(0))).subarray(0, 16).toString('hex'));
    expect(nonces.size).toBe(1000);
  });
});

describe('the header', () => {
  test.each(['classic', 'post-quantum'] as const)(
    'of %s recipients is opened by each of them and by the library',
    async (kind) => {
      const keys = await Promise.all([newIdentity(kind), newIdentity(kind)]);
      const { header, fileKey } = await newHeader(keys.map(({ recipient }) => recipient));
      const file = Buffer.concat([header, await collect(sealPayload(fileKey, [Buffer.from('hello')]))]);
      for (const { identity } of keys) {
        expect(Buffer.from(await openHeader(header, [identity]))).toEqual(Buffer.from(fileKey));
        const decrypter = new Decrypter();
        decrypter.addIdentity(identity);
        expect(await decrypter.decrypt(file, 'text')).toBe('hello');
      }
    },
  );

  test('of a file of the library is opened here', async () => {
    const { identity, recipient } = await newIdentity('classic');
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    const file = await encrypter.encrypt(randomBytes(200_000));
    const { header, payload } = await splitHeader(asyncPiecesOf(file, 1000));
    expect(await collect(openPayload(await openHeader(header, [identity]), payload))).toHaveLength(200_000);
  });

  test('names no match as KeyMismatch', async () => {
    const [mine, other] = await Promise.all([newIdentity('classic'), newIdentity('classic')]);
    const { header } = await newHeader([mine.recipient]);
    await expect(openHeader(header, [other.identity])).rejects.toMatchObject({ reason: 'KeyMismatch' });
  });

  test('changed in any byte opens no file', async () => {
    const { identity, recipient } = await newIdentity('classic');
    const { header } = await newHeader([recipient]);
    for (let index = 0; index < header.length; index += 1) {
      const changed = Uint8Array.from(header);
      changed[index] = (changed[index] ?? 0) ^ 1;
      await expect(openHeader(changed, [identity])).rejects.toThrow();
    }
  });

  test('without recipients is refused', async () => {
    await expect(newHeader([])).rejects.toThrow('at least one recipient');
  });

  test('is found at its end, wherever the pieces are cut', async () => {
    const { recipient } = await newIdentity('classic');
    const { header } = await newHeader([recipient]);
    const file = Buffer.concat([header, Buffer.from('\n--- behind\n')]);
    for (let size = 1; size <= file.length; size += 1) {
      const split = await splitHeader(asyncPiecesOf(file, size));
      expect(Buffer.from(split.header)).toEqual(Buffer.from(header));
      expect((await collect(split.payload)).toString()).toBe('\n--- behind\n');
    }
  });

  test('that never ends is refused before it fills the memory', () => {
    const splitter = new HeaderSplitter();
    const line = Buffer.from(`${'a'.repeat(1000)}\n`);
    const push = () => {
      for (let size = 0; size <= HEADER_LIMIT + line.length; size += line.length) splitter.push(line);
    };
    expect(push).toThrow('no age header ends');
  });
});
