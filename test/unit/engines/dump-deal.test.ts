import { describe, expect, test } from '@jest/globals';
import { dealBlocks } from '../../../src/engines/postgres/dump/data.ts';
import fc from '../../support/fast-check.ts';
import { largeObjectsBlock } from '../../support/postgres-dump.ts';

/** What pg_dump puts behind the last row. */
const END = '\\.\n\n\n\n';

const int = (value: number) => {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32LE(value, 1);
  return bytes;
};

/** As a program writes it that collects rows until it has a piece of this size. */
function tableBlock(dumpId: number, rows: readonly string[], piece: number): Buffer {
  const bytes = Buffer.from([...rows.map((row) => `${row}\n`), END].join(''));
  const parts = [Buffer.from([1]), int(dumpId)];
  for (let at = 0; at < bytes.length; at += piece) {
    const part = bytes.subarray(at, at + piece);
    parts.push(int(part.length), part);
  }
  return Buffer.concat([...parts, int(0)]);
}

/** As a program writes it that makes a piece of every row. */
function rowByRow(dumpId: number, rows: readonly string[]): Buffer {
  const parts = [...rows.map((row) => `${row}\n`), END].map((text) => Buffer.from(text));
  return Buffer.concat([Buffer.from([1]), int(dumpId), ...parts.flatMap((part) => [int(part.length), part]), int(0)]);
}

/** The text of each block of tables, by its number, in the order in which they stand. */
function readBack(bytes: Buffer): [number, string][] {
  const blocks: [number, string][] = [];
  let at = 0;
  while (at < bytes.length) {
    expect(bytes[at]).toBe(1);
    const dumpId = bytes.readUInt32LE(at + 2);
    at += 6;
    const parts: Buffer[] = [];
    for (;;) {
      const length = bytes.readUInt32LE(at + 1);
      at += 5;
      if (length === 0) break;
      parts.push(bytes.subarray(at, at + length));
      at += length;
    }
    blocks.push([dumpId, Buffer.concat(parts).toString()]);
  }
  return blocks;
}

interface Deal {
  readonly readers: number;
  readonly run: number;
  readonly chunk: number;
  readonly turns: readonly number[];
}

function dealt(bytes: Buffer, { readers, run, chunk, turns }: Deal, isDealt: (id: number) => boolean): Buffer[] {
  let turn = 0;
  const blocks = dealBlocks({
    ...{ readers, run },
    of: (id) => (isDealt(id) ? 'dealt' : 'first'),
    next() {
      turn += 1;
      return (turns[turn % turns.length] ?? 0) % readers;
    },
  });
  const got: Buffer[][] = Array.from({ length: readers }, () => []);
  for (let at = 0; at < bytes.length; at += chunk) {
    for (const one of blocks.push(bytes.subarray(at, at + chunk))) got[one.reader]?.push(one.bytes);
  }
  blocks.end();
  return got.map((list) => Buffer.concat(list));
}

/** Backslashes stand doubled in the text format of COPY, so only the end of all rows looks like it. */
const row = fc.oneof(
  { arbitrary: fc.string({ unit: fc.constantFrom('a', 'é', '\t', '\\\\', '.', '\\N'), maxLength: 12 }), weight: 4 },
  { arbitrary: fc.constantFrom('', '\\\\.', '.', '\\N', '\\t.'), weight: 1 },
);

const deal = fc.record({
  readers: fc.integer({ min: 1, max: 4 }),
  run: fc.integer({ min: 0, max: 60 }),
  chunk: fc.integer({ min: 1, max: 200 }),
  turns: fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
});

const table = fc.record({
  rows: fc.array(row, { maxLength: 30 }),
  piece: fc.oneof(fc.constant('row' as const), fc.integer({ min: 1, max: 120 })),
});

/** The rows of one reader: whole lines, and the end of all rows only with all that belongs to it. */
function rowsOf(text: string): string[] {
  const without =
    text.endsWith(END) && (text === END || text.at(-END.length - 1) === '\n') ? text.slice(0, -END.length) : text;
  expect(without === '' || without.endsWith('\n')).toBe(true);
  return without.split('\n').slice(0, -1);
}

describe('rows that are dealt to several', () => {
  test('are whole, are all there, and each is there once, whatever comes together in a piece', () => {
    fc.assert(
      fc.property(fc.array(table, { minLength: 1, maxLength: 4 }), deal, (tables, how) => {
        const bytes = Buffer.concat(
          tables.map(({ rows, piece }, n) =>
            piece === 'row' ? rowByRow(n + 1, rows) : tableBlock(n + 1, rows, piece),
          ),
        );
        const readers = dealt(bytes, how, () => true).map(readBack);
        for (const blocks of readers) expect(blocks.map(([id]) => id)).toEqual(tables.map((_, n) => n + 1));
        for (const [n, { rows }] of tables.entries()) {
          const texts = readers.map((blocks) => blocks[n]?.[1] ?? '');
          expect(texts.filter((text) => text.endsWith(END)).length).toBe(1);
          expect(texts.flatMap(rowsOf).sort()).toEqual([...rows].sort());
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('are dealt: of many, everybody gets some', () => {
    const rows = Array.from({ length: 5000 }, (_, n) => `${n}\tsomething`);
    const how = { readers: 3, run: 500, chunk: 4000, turns: [0, 1, 2] };
    for (const bytes of [rowByRow(1, rows), tableBlock(1, rows, 4096)]) {
      for (const reader of dealt(bytes, how, () => true)) expect(readBack(reader)[0]?.[1].length).toBeGreaterThan(2000);
    }
  });

  test('leave everything else to the first', () => {
    const others = Buffer.concat([largeObjectsBlock(7, { 16400: ['bytes', '\n'] }), rowByRow(8, ['x', 'y'])]);
    const bytes = Buffer.concat([others, rowByRow(9, ['z'])]);
    const how = { readers: 2, run: 0, chunk: 3, turns: [1] };
    const [first, second] = dealt(bytes, how, (id) => id === 9);
    expect(first?.subarray(0, others.length)).toEqual(others);
    expect(readBack(second ?? Buffer.alloc(0))).toEqual([[9, `z\n${END}`]]);
    expect(readBack(first?.subarray(others.length) ?? Buffer.alloc(0))).toEqual([[9, '']]);
  });
});
