/**
 * The data of a dump in the custom format, as it comes through a pipe after the head: blocks one after the other, each with
 * the number of its entry (pg_backup_custom.c: _StartData, _StartLO, _WriteData). Blocks go to one reader or to none, or
 * their rows are dealt to several. Pure.
 */
import { corrupt, INT_BYTES, readInt, writeInt } from './toc.ts';

const DATA = 1;
const LARGE_OBJECTS = 3;

/** No piece of data is longer; a row has at most 1 GiB. */
const PIECE_LIMIT = 0x7fff_ffff;

export interface Dealing {
  readonly readers: number;
  /** The rows of a block that is dealt are in the text format of COPY; every reader gets such a block, with some of them. */
  of(dumpId: number): 'nobody' | 'first' | 'dealt';
  /** Bytes of rows after which {@link next} is asked again. */
  readonly run: number;
  /** Who gets the rows that come now. */
  next(): number;
}

export interface Dealt {
  readonly reader: number;
  readonly bytes: Buffer;
}

export interface Blocks<T> {
  /** What of these bytes goes on. */
  push(chunk: Buffer): readonly T[];
  /** Fails with `ArchiveCorrupt` where the data ended in the middle of a block. */
  end(): void;
}

/** Blocks are let through or left out whole. */
export function filterBlocks(isWanted: (dumpId: number) => boolean): Blocks<Buffer> {
  const of = (dumpId: number) => (isWanted(dumpId) ? 'first' : 'nobody');
  const { push, end } = dealBlocks({ readers: 1, of, run: Number.POSITIVE_INFINITY, next: () => 0 });
  return { push: (chunk) => push(chunk).map(({ bytes }) => bytes), end };
}

/** Where in a block we are: what the number means that is read next. */
type Place = 'type' | 'id' | 'piece' | 'large object' | 'piece of large object';

const NUMBER = 1 + INT_BYTES;
const NOBODY = -1;

/** A row ends with one, and has none within. */
const LINE_BREAK = 0x0a;

export function dealBlocks({ readers, of, run, next }: Dealing): Blocks<Dealt> {
  let place: Place = 'type';
  let type = 0;
  let isDealt = false;
  let reader = NOBODY;
  /** What it got of the rows since it was chosen, and whether that ended with the end of a row. */
  let got = 0;
  let atRow = true;
  /** Of the piece that is passed over. */
  let left = 0;
  /** A number that came in parts, and how much of it is there. */
  const number = Buffer.alloc(NUMBER);
  let have = 0;

  /** What a number says of what comes next. */
  const turn = (value: number): void => {
    if (place === 'large object') {
      place = value === 0 ? 'type' : 'piece of large object';
      return;
    }
    if (value < 0 || value > PIECE_LIMIT) throw corrupt('a piece of data has an impossible length');
    left = value;
    if (value === 0) place = place === 'piece' ? 'type' : 'large object';
  };
  const everybody = (bytes: Buffer, but = NOBODY): Dealt[] =>
    Array.from({ length: readers }, (_, each) => ({ reader: each, bytes })).filter((one) => one.reader !== but);

  return {
    push(chunk) {
      const out: Dealt[] = [];
      /** From where on what somebody gets has not been given out. */
      let from = 0;
      let at = 0;
      const give = (to: number) => {
        if (reader !== NOBODY && to > from) out.push({ reader, bytes: chunk.subarray(from, to) });
        from = to;
      };
      /** At the head of a piece: the rows from the next one on may be another reader's. */
      const change = (head: number) => {
        const end = Math.min(at + left, chunk.length);
        const begin = atRow && mayBegin(chunk, at, end) ? at : nextRow(chunk, at, end);
        if (begin === undefined) return;
        got = 0;
        const chosen = next();
        if (chosen === reader) return;
        const before = begin - at;
        give(head);
        if (before > 0) out.push({ reader, bytes: Buffer.concat([writeInt(before), chunk.subarray(at, begin)]) });
        reader = chosen;
        left -= before;
        out.push({ reader, bytes: writeInt(left) });
        [at, from] = [begin, begin];
      };
      while (at < chunk.length) {
        if (left > 0) {
          const step = Math.min(left, chunk.length - at);
          left -= step;
          at += step;
          got += step;
          atRow = chunk[at - 1] === LINE_BREAK;
          continue;
        }
        if (place === 'type') {
          give(at);
          reader = NOBODY;
          type = chunk[at] ?? 0;
          if (type !== DATA && type !== LARGE_OBJECTS) throw corrupt('a block is of no known kind');
          at += 1;
          place = 'id';
          continue;
        }
        const head = have === 0 ? at : undefined;
        const step = Math.min(NUMBER - have, chunk.length - at);
        chunk.copy(number, have, at, at + step);
        have += step;
        at += step;
        if (have < NUMBER) break;
        have = 0;
        const value = place === 'large object' ? unsigned(number) : readInt(number);
        if (place !== 'id') {
          turn(value);
          if (!isDealt) continue;
          if (value === 0) out.push(...everybody(writeInt(0), reader));
          else if (got >= run && head !== undefined) change(head);
          continue;
        }
        const choice = of(value);
        isDealt = choice === 'dealt' && type === DATA;
        place = type === DATA ? 'piece' : 'large object';
        [from, got, atRow] = [at, 0, true];
        if (choice === 'nobody') continue;
        const opening = Buffer.from([type, ...number]);
        reader = isDealt ? next() : 0;
        out.push(...(isDealt ? everybody(opening) : [{ reader, bytes: opening }]));
      }
      if (place !== 'id') give(chunk.length);
      return out;
    },
    end() {
      if (place !== 'type') throw corrupt('its data ends in the middle of a block');
    },
  };
}

/** Whether a row begins there, as far as these bytes tell: behind what ends them all, `\.`, are empty lines. */
function mayBegin(bytes: Buffer, at: number, end: number): boolean {
  return at < end && bytes[at] !== LINE_BREAK;
}

function nextRow(bytes: Buffer, from: number, end: number): number | undefined {
  for (let at = bytes.indexOf(LINE_BREAK, from); at !== -1 && at < end; at = bytes.indexOf(LINE_BREAK, at + 1)) {
    if (mayBegin(bytes, at + 1, end)) return at + 1;
  }
  return undefined;
}

/** An oid has 32 bits, and is written like a number that has a sign. */
function unsigned(number: Buffer): number {
  return number.readUInt32LE(1);
}
