/**
 * The head of a dump in pg_dump's custom format: its header and its table of contents, as pg_backup_archiver.c reads and
 * writes them (ReadHead, ReadToc). Text stays as the bytes it is, one character each ("binary"): a dump is in the encoding
 * of its database. Pure.
 */
import { HoldfastError } from '../../../lib/errors.ts';

/** Of the format, not of a program: 13 to 15 write 1.14 or 1.15, 16 writes 1.15 or 1.16, 17 and 18 write 1.16. */
const OLDEST_MINOR = 14;
const NEWEST_MINOR = 16;
const MINOR_WITH_COMPRESSION_BYTE = 15;
const MINOR_WITH_RELKIND = 16;

/** Within these a dump says of which format it is. */
export const FORMAT_BYTES = 11;

/** What `format` of the header says of the custom format. */
const CUSTOM = 1;

/** No program writes one near as long; a length that was damaged must not fill our memory. */
const STRING_LIMIT = 64 * 1024 * 1024;
const HEAD_LIMIT = 512 * 1024 * 1024;

export interface DumpHead {
  /** Everything before the number of entries, as it is. */
  readonly header: Buffer;
  readonly shape: Shape;
  /** In the order in which they are restored. */
  readonly entries: readonly TocEntry[];
}

interface Shape {
  readonly minor: number;
  readonly offsetBytes: number;
}

/** As pg_dump numbers the sections of a dump. What has none goes with what stands before it. */
export const SECTION = { none: 1, preData: 2, data: 3, postData: 4 } as const;

type Text = string | null;

/** One thing to do. Of the fields of {@link TEXTS} each is a "binary" string. */
export interface TocEntry extends Record<(typeof TEXTS)[number], Text> {
  readonly dumpId: number;
  /** Whether a block of data belongs to it. */
  readonly hasData: boolean;
  readonly section: number;
  /** From 1.16 on. */
  readonly relkind: number;
  /** Dump ids, in decimal. */
  readonly dependencies: readonly string[];
  /** Where its data is in the file; a dump that was written into a pipe does not know. */
  readonly offset: Buffer;
}

const TEXTS = [
  ...(['tableoid', 'oid', 'tag', 'desc', 'defn', 'dropStmt', 'copyStmt', 'namespace', 'tablespace'] as const),
  ...(['tableam', 'owner', 'withOids'] as const),
] as const;

export interface HeadReader {
  /** Undefined: more bytes are needed. `rest`: what came after the head. */
  push(chunk: Uint8Array): { readonly head: DumpHead; readonly rest: Buffer } | undefined;
}

/** Fails with `ArchiveCorrupt` for bytes that are no head. What ends before the head does is for the caller to notice. */
export function headReader(): HeadReader {
  const bytes = new Supply();
  const parsing = parseHead(bytes);
  return {
    push(chunk) {
      bytes.add(chunk);
      while (bytes.satisfied()) {
        const step = parsing.next();
        if (step.done === true) return { head: step.value, rest: bytes.rest() };
      }
      return undefined;
    },
  };
}

/** A parser stops where bytes are missing, and goes on from there. */
type Parsing<T> = Generator<void, T, void>;

class Supply {
  #chunks: Uint8Array[] = [];
  #size = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #wanted = 0;
  #taken = 0;
  #recording: Buffer[] | undefined = [];

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  satisfied(): boolean {
    return this.#bytes.length - this.#at + this.#size >= this.#wanted;
  }

  *take(count: number): Parsing<Buffer> {
    this.#taken += count;
    if (this.#taken > HEAD_LIMIT) throw corrupt('its table of contents has no end');
    if (this.#bytes.length - this.#at < count) {
      this.#wanted = count;
      if (!this.satisfied()) yield;
      this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), ...this.#chunks]);
      [this.#chunks, this.#size, this.#at, this.#wanted] = [[], 0, 0, 0];
    }
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    this.#recording?.push(taken);
    return taken;
  }

  /** What was taken so far; from now on nothing is kept. */
  recorded(): Buffer {
    const all = Buffer.concat(this.#recording ?? []);
    this.#recording = undefined;
    return all;
  }

  rest(): Buffer {
    return Buffer.concat([this.#bytes.subarray(this.#at), ...this.#chunks]);
  }
}

const MAGIC = 'PGDMP';
/** Seconds to the flag of summer time. */
const TIME_FIELDS = 7;
/** Database, version of the server, version of pg_dump. */
const HEADER_TEXTS = 3;

function* parseHead(bytes: Supply): Parsing<DumpHead> {
  if ((yield* bytes.take(MAGIC.length)).toString('latin1') !== MAGIC) throw corrupt('it does not begin as a dump does');
  const [major = 0, minor = 0, , intBytes = 0, offsetBytes = 0, format = 0] = yield* bytes.take(6);
  if (major !== 1 || minor < OLDEST_MINOR || minor > NEWEST_MINOR) throw unknownFormat(`${major}.${minor}`);
  if (intBytes !== INT_BYTES || (offsetBytes !== 8 && offsetBytes !== 4))
    throw corrupt('its numbers have no known size');
  if (format !== CUSTOM) throw corrupt('it is not in the custom format');
  if (minor >= MINOR_WITH_COMPRESSION_BYTE) yield* bytes.take(1);
  else yield* int(bytes);
  for (let field = 0; field < TIME_FIELDS; field += 1) yield* int(bytes);
  for (let field = 0; field < HEADER_TEXTS; field += 1) yield* text(bytes);
  const header = bytes.recorded();
  const shape = { minor, offsetBytes };
  const count = yield* int(bytes);
  if (count < 0) throw corrupt('its table of contents has less than nothing');
  const entries: TocEntry[] = [];
  while (entries.length < count) entries.push(yield* parseEntry(bytes, shape));
  return { header, shape, entries };
}

function* parseEntry(bytes: Supply, { minor, offsetBytes }: Shape): Parsing<TocEntry> {
  const dumpId = yield* int(bytes);
  const hadDumper = yield* int(bytes);
  if (dumpId <= 0 || (hadDumper !== 0 && hadDumper !== 1)) throw corrupt('an entry has no sensible number');
  const [tableoid, oid, tag, desc] = [yield* text(bytes), yield* text(bytes), yield* text(bytes), yield* text(bytes)];
  const section = yield* int(bytes);
  const [defn, dropStmt, copyStmt] = [yield* text(bytes), yield* text(bytes), yield* text(bytes)];
  const [namespace, tablespace, tableam] = [yield* text(bytes), yield* text(bytes), yield* text(bytes)];
  const relkind = minor >= MINOR_WITH_RELKIND ? yield* int(bytes) : 0;
  const [owner, withOids] = [yield* text(bytes), yield* text(bytes)];
  const dependencies: string[] = [];
  for (let one = yield* text(bytes); one !== null; one = yield* text(bytes)) {
    if (!/^[0-9]{1,10}$/.test(one)) throw corrupt('a dependency is no number');
    dependencies.push(one);
  }
  // A copy: a slice would keep everything alive that came with it.
  const offset = Buffer.from(yield* bytes.take(1 + offsetBytes));
  return {
    ...{ dumpId, hasData: hadDumper === 1, tableoid, oid, tag, desc, section, defn, dropStmt, copyStmt },
    ...{ namespace, tablespace, tableam, relkind, owner, withOids, dependencies, offset },
  };
}

export const INT_BYTES = 4;

function* int(bytes: Supply): Parsing<number> {
  return readInt(yield* bytes.take(1 + INT_BYTES));
}

/** A byte for the sign, then the magnitude with its lowest byte first. */
export function readInt(bytes: Buffer): number {
  const [sign = 0] = bytes;
  const size = bytes.readUInt32LE(1);
  if (sign > 1 || size > 0x7fff_ffff || (sign === 1 && size === 0)) throw corrupt('a number is none');
  return sign === 1 ? -size : size;
}

/** Null is written as a negative length, and is not the empty text. */
function* text(bytes: Supply): Parsing<Text> {
  const length = yield* int(bytes);
  if (length === -1) return null;
  if (length < -1 || length > STRING_LIMIT) throw corrupt('a text has an impossible length');
  return (yield* bytes.take(length)).toString('latin1');
}

export function* writeHead({ header, shape, entries }: DumpHead): Generator<Buffer> {
  yield header;
  yield writeInt(entries.length);
  for (const entry of entries) yield Buffer.concat([...writeEntry(entry, shape)]);
}

function* writeEntry(entry: TocEntry, { minor }: Shape): Generator<Buffer> {
  yield writeInt(entry.dumpId);
  yield writeInt(entry.hasData ? 1 : 0);
  for (const field of ['tableoid', 'oid', 'tag', 'desc'] as const) yield* writeText(entry[field]);
  yield writeInt(entry.section);
  for (const field of ['defn', 'dropStmt', 'copyStmt', 'namespace', 'tablespace', 'tableam'] as const)
    yield* writeText(entry[field]);
  if (minor >= MINOR_WITH_RELKIND) yield writeInt(entry.relkind);
  for (const field of ['owner', 'withOids'] as const) yield* writeText(entry[field]);
  for (const dependency of entry.dependencies) yield* writeText(dependency);
  yield* writeText(null);
  yield entry.offset;
}

export function writeInt(value: number): Buffer {
  const bytes = Buffer.alloc(1 + INT_BYTES);
  bytes.writeUInt8(value < 0 ? 1 : 0, 0);
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
}

function* writeText(value: Text): Generator<Buffer> {
  if (value === null) {
    yield writeInt(-1);
    return;
  }
  const bytes = Buffer.from(value, 'latin1');
  yield writeInt(bytes.length);
  yield bytes;
}

export function corrupt(what: string): HoldfastError {
  return new HoldfastError('ArchiveCorrupt', `the dump in the archive cannot be read: ${what}`, {
    hint: 'Use another backup.',
  });
}

export const UNKNOWN_FORMAT = 'DumpFormatUnknown';

function unknownFormat(version: string): HoldfastError {
  return new HoldfastError(
    UNKNOWN_FORMAT,
    `the dump in the archive is of format ${version}, of which parts cannot be taken`,
    {
      hint: 'restore the whole archive to a new database, or use a newer image of Holdfast',
    },
  );
}
