/** Dumps in the custom format: made by hand, of what a unit test is about and nothing else; and where real ones are cut. */
import { headReader, type TocEntry, writeHead } from '../../src/engines/postgres/dump/toc.ts';

/** Text as in UTF-8. */
const binary = (text: string | null) => (text === null ? null : Buffer.from(text).toString('latin1'));

export function anEntry(over: Partial<TocEntry> & Pick<TocEntry, 'dumpId' | 'desc'>): TocEntry {
  const entry: TocEntry = {
    ...{ hasData: false, tableoid: '0', oid: '0', tag: '', section: 2, defn: '', dropStmt: '', copyStmt: null },
    ...{ namespace: null, tablespace: null, tableam: null, relkind: 0, owner: 'app', withOids: 'false' },
    ...{ dependencies: [], offset: Buffer.from([over.hasData === true ? 1 : 3, 0, 0, 0, 0, 0, 0, 0, 0]) },
    ...over,
  };
  const { tag, defn, dropStmt, copyStmt, namespace, owner } = entry;
  return {
    ...entry,
    ...{ tag: binary(tag), defn: binary(defn), dropStmt: binary(dropStmt), copyStmt: binary(copyStmt) },
    ...{ namespace: binary(namespace), owner: binary(owner) },
  };
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt8(value < 0 ? 1 : 0);
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
}

const text = (value: string) => Buffer.concat([int(Buffer.byteLength(value)), Buffer.from(value)]);

/** Without data. */
export function aDump(entries: readonly TocEntry[], { minor = 16 } = {}): Buffer {
  const header = Buffer.concat([
    Buffer.from('PGDMP'),
    Buffer.from([1, minor, 0, 4, 8, 1]),
    minor >= 15 ? Buffer.from([0]) : int(0),
    ...[1, 2, 3, 4, 5, 126, -1].map(int),
    ...['shop', '17.6', '17.6 (Debian)'].map(text),
  ]);
  const known = minor >= 16 ? entries : entries.map((entry) => ({ ...entry, relkind: 0 }));
  return Buffer.concat([...writeHead({ header, shape: { minor, offsetBytes: 8 }, entries: known })]);
}

const pieces = (list: readonly string[]) => [...list.map(text), int(0)];

export function block(dumpId: number, rows: readonly string[]): Buffer {
  return Buffer.concat([Buffer.from([1]), int(dumpId), ...pieces(rows)]);
}

export function largeObjectsBlock(dumpId: number, objects: Readonly<Record<number, readonly string[]>>): Buffer {
  const all = Object.entries(objects).flatMap(([oid, list]) => [signed(Number(oid)), ...pieces(list)]);
  return Buffer.concat([Buffer.from([3]), int(dumpId), ...all, int(0)]);
}

/** pg_dump writes an oid as a number with a sign. */
const signed = (oid: number) => int(oid | 0);

/** Before each entry of the table of contents, every 40 bytes of the data, and before the last byte of all. */
export function cutsOf(dump: Buffer): readonly number[] {
  const read = headReader().push(dump);
  if (read === undefined) throw new Error('a whole dump has a whole head');
  const cuts: number[] = [];
  let at = 0;
  for (const piece of writeHead(read.head)) {
    cuts.push(at);
    at += piece.length;
  }
  for (let data = at; data < dump.length; data += 40) cuts.push(data);
  return [...cuts, dump.length - 1];
}
