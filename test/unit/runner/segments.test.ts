import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { HEADER_LIMIT } from '../../../src/archive/age/header.ts';
import type { ManifestSegment } from '../../../src/archive/manifest.ts';
import { readPart, SegmentWriter } from '../../../src/runner/segments.ts';
import { sizedDigestOf } from '../../../src/runner/stages/meter.ts';
import { MemoryStorage } from '../../support/runner-memory-storage.ts';
import { collect, piecesOf } from '../../support/runner-vectors.ts';

const SEGMENT = HEADER_LIMIT + 1000;
const FOLDER = 'v1/c/n/_manual/x/';
const header = Buffer.from('age-encryption.org/v1\n--- MAC\n');

async function written(payload: Uint8Array, pieceSize = 10_007) {
  const storage = new MemoryStorage();
  const writer = new SegmentWriter({
    storage,
    folder: FOLDER,
    attempt: 'a',
    part: 0,
    file: 'part-00000.pgdump',
    segmentBytes: SEGMENT,
  });
  await writer.begin(header);
  for (const piece of piecesOf(payload, pieceSize)) await writer.write(piece);
  return { storage, writer };
}

const readAll = (storage: MemoryStorage, segments: readonly ManifestSegment[]) =>
  collect(readPart(storage, FOLDER, segments, new AbortController().signal));

describe('a part', () => {
  test.each([0, 1, SEGMENT - header.length - 1, SEGMENT - header.length, SEGMENT - header.length + 1, 3 * SEGMENT])(
    'with a payload of %d bytes is cut at full segments and comes back whole',
    async (size) => {
      const payload = randomBytes(size);
      const { storage, writer } = await written(payload);
      const segments = await writer.finish();
      const total = header.length + size;
      expect(segments).toHaveLength(Math.ceil(total / SEGMENT));
      expect(segments.map((segment) => segment.size).reduce((a, b) => a + b)).toBe(total);
      expect(segments.slice(0, -1).every((segment) => segment.size === SEGMENT)).toBe(true);
      expect(segments[0]?.header).toEqual(sizedDigestOf(header));
      expect(segments.slice(1).every((segment) => segment.header === undefined)).toBe(true);
      expect((await readAll(storage, segments)).equals(Buffer.concat([header, payload]))).toBe(true);
    },
  );

  test('has names that sort in its order', async () => {
    const { writer } = await written(randomBytes(2 * SEGMENT));
    expect((await writer.finish()).map(({ key }) => key)).toEqual([
      'a/part-00000.pgdump.zst.age',
      'a/part-00000.pgdump.zst.age.001',
      'a/part-00000.pgdump.zst.age.002',
    ]);
  });

  test('is not to be seen before it is finished, and not at all when it is aborted', async () => {
    const { storage, writer } = await written(randomBytes(3 * SEGMENT));
    expect(storage.objects.size).toBe(0);
    expect(storage.unfinished.size).toBe(4);
    await writer.abort();
    expect(storage.objects.size).toBe(0);
    expect(storage.unfinished.size).toBe(0);
  });

  test('aborts every segment, also when one of them cannot be', async () => {
    const { storage, writer } = await written(randomBytes(0));
    const { beginUpload } = storage;
    storage.beginUpload = async (key) => {
      const upload = await beginUpload.call(storage, key);
      return key.endsWith('.001') ? { ...upload, abort: () => Promise.reject(new Error('denied')) } : upload;
    };
    for (const piece of piecesOf(randomBytes(3 * SEGMENT), SEGMENT)) await writer.write(piece);
    await expect(writer.abort()).rejects.toThrow('denied');
    expect([...storage.unfinished]).toEqual([`${FOLDER}a/part-00000.pgdump.zst.age.001`]);
  });

  test('whose stored header or payload is not what the manifest names is found out', async () => {
    const { storage, writer } = await written(randomBytes(1000));
    const [segment] = await writer.finish();
    const other = sizedDigestOf(Buffer.from('other'));
    const wrong = [
      { ...segment!, header: { ...segment!.header!, sha256: other.sha256 } },
      { ...segment!, payload: { ...segment!.payload, sha256: other.sha256 } },
      { ...segment!, payload: { ...segment!.payload, size: 999 } },
    ];
    for (const claimed of wrong) {
      await expect(readAll(storage, [claimed])).rejects.toMatchObject({ reason: 'ArchiveCorrupt' });
    }
  });
});
