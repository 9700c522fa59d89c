import { describe, expect, test } from '@jest/globals';
import { filterBlocks } from '../../../src/engines/postgres/dump/data.ts';
import { type DumpHead, headReader, type TocEntry, writeHead } from '../../../src/engines/postgres/dump/toc.ts';
import { HoldfastError } from '../../../src/lib/errors.ts';
import { aDump, anEntry, block, largeObjectsBlock } from '../../support/postgres-dump.ts';

const read = (bytes: Buffer) => headReader().push(bytes);
const written = (head: DumpHead) => Buffer.concat([...writeHead(head)]);

/** No answer, or one that says that the archive is damaged; never a hang, a crash of ours, or memory that is not there. */
function isHarmless(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (caught) {
    return caught instanceof HoldfastError && ['ArchiveCorrupt', 'DumpFormatUnknown'].includes(caught.reason);
  }
}

const ENTRIES: readonly TocEntry[] = [
  anEntry({ dumpId: 1, desc: 'ENCODING', defn: "SET client_encoding = 'UTF8';\n" }),
  anEntry({ dumpId: 2, desc: 'TABLE', tag: 'o"dd\n☂', namespace: 'public', dependencies: ['1', '4'] }),
  anEntry({ dumpId: 3, desc: 'TABLE DATA', hasData: true, copyStmt: 'COPY …', defn: '', dropStmt: null, relkind: -5 }),
];

describe('the head of a dump', () => {
  test.each([14, 15, 16])('of format 1.%i is read and written byte for byte, however it comes in pieces', (minor) => {
    const dump = aDump(ENTRIES, { minor });
    for (const size of [1, 2, 7, 1000]) {
      const reader = headReader();
      let found: ReturnType<typeof read>;
      let at = 0;
      for (; found === undefined; at += size) found = reader.push(dump.subarray(at, at + size));
      expect(written(found.head)).toEqual(dump);
      expect(found.rest.length).toBe(0);
    }
    expect(read(dump)?.head.entries.map(({ tag }) => tag)).toEqual(['', Buffer.from('o"dd\n☂').toString('latin1'), '']);
  });

  test('cut anywhere is not a head', () => {
    const dump = aDump(ENTRIES);
    for (let end = 0; end < dump.length; end += 1) expect(read(dump.subarray(0, end))).toBeUndefined();
  });

  test('with any byte flipped is read as something else, or refused as damaged', () => {
    const dump = aDump(ENTRIES);
    for (let at = 0; at < dump.length; at += 1) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bad = Buffer.from(dump);
        bad.writeUInt8((bad[at] ?? 0) ^ flip, at);
        expect(isHarmless(() => read(bad))).toBe(true);
      }
    }
  });

  test('that claims a text, or a number of entries, beyond all measure takes no memory for it', () => {
    const dump = aDump(ENTRIES);
    const huge = Buffer.from(dump);
    // The count of entries.
    huge.writeUInt32LE(0x7fff_ffff, headerLength(dump) + 1);
    const before = process.memoryUsage().rss;
    expect(read(huge)).toBeUndefined();
    const long = Buffer.from(dump);
    long.writeUInt32LE(0x7fff_fff0, headerLength(dump) + 5 + 11);
    expect(() => read(long)).toThrow('impossible length');
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  });

  test.each([
    ['something else', Buffer.from('PK\x03\x04 and so on and on'), 'does not begin as a dump does'],
    ['a format that is newer', aDump([], { minor: 17 }), 'format 1.17'],
    ['a format that is older', aDump([], { minor: 13 }), 'format 1.13'],
  ])('of %s is refused', (_, bytes, said) => {
    expect(() => read(bytes)).toThrow(said);
  });
});

const headerLength = (dump: Buffer) => read(dump)?.head.header.length ?? 0;

describe('the data of a dump', () => {
  const data = Buffer.concat([
    block(3, ['one', 'two']),
    largeObjectsBlock(4, { 1: ['x'.repeat(70)], 4294967295: [] }),
    block(5, []),
    block(6, ['y'.repeat(300)]),
  ]);
  const filtered = (isWanted: (id: number) => boolean, size: number, bytes = data) => {
    const blocks = filterBlocks(isWanted);
    const out: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) out.push(...blocks.push(bytes.subarray(at, at + size)));
    blocks.end();
    return Buffer.concat(out);
  };

  test.each([1, 2, 3, 5, 64, 10_000])('goes on without what is not wanted, in pieces of %i bytes', (size) => {
    expect(filtered(() => true, size)).toEqual(data);
    expect(filtered(() => false, size).length).toBe(0);
    expect(filtered((id) => id === 4 || id === 6, size)).toEqual(
      Buffer.concat([largeObjectsBlock(4, { 1: ['x'.repeat(70)], 4294967295: [] }), block(6, ['y'.repeat(300)])]),
    );
  });

  test('that ends in the middle of a block is damaged', () => {
    const whole = new Set([0, block(3, ['one', 'two']).length]);
    whole.add(data.length - block(6, ['y'.repeat(300)]).length - block(5, []).length);
    whole.add(data.length - block(6, ['y'.repeat(300)]).length);
    for (let end = 0; end < data.length; end += 1) {
      const cut = () => filtered(() => true, 50, data.subarray(0, end));
      if (whole.has(end)) cut();
      else expect(cut).toThrow('in the middle of a block');
    }
  });

  test('with any byte flipped is passed on or refused as damaged', () => {
    for (let at = 0; at < data.length; at += 1) {
      const bad = Buffer.from(data);
      bad.writeUInt8((bad[at] ?? 0) ^ 0x83, at);
      expect(isHarmless(() => filtered((id) => id === 3, 11, bad))).toBe(true);
    }
  });
});
