/**
 * The data of a dump in the custom format, as it comes through a pipe after the head: blocks one after the other, each with
 * the number of its entry (pg_backup_custom.c: _StartData, _StartLO, _WriteData). Blocks are let through or left out whole.
 * Pure.
 */
import { corrupt, INT_BYTES, readInt } from './toc.ts';

const DATA = 1;
const LARGE_OBJECTS = 3;

/** No piece of data is longer; a row has at most 1 GiB. */
const PIECE_LIMIT = 0x7fff_ffff;

export interface BlockFilter {
  /** What of these bytes goes on. */
  push(chunk: Buffer): readonly Buffer[];
  /** Fails with `ArchiveCorrupt` where the data ended in the middle of a block. */
  end(): void;
}

/** Where in a block we are: what the number means that is read next. */
type Place = 'type' | 'id' | 'piece' | 'large object' | 'piece of large object';

const NUMBER = 1 + INT_BYTES;

export function filterBlocks(isWanted: (dumpId: number) => boolean): BlockFilter {
  let place: Place = 'type';
  let type = 0;
  let wanted = false;
  /** Of the piece that is passed over. */
  let left = 0;
  /** A number that came in parts, and how much of it is there. */
  const number = Buffer.alloc(NUMBER);
  let have = 0;

  /** What a number says of what comes next. Undefined: a block ends. */
  const turn = (value: number): void => {
    if (place === 'large object') {
      place = value === 0 ? 'type' : 'piece of large object';
      return;
    }
    if (value < 0 || value > PIECE_LIMIT) throw corrupt('a piece of data has an impossible length');
    left = value;
    if (value === 0) place = place === 'piece' ? 'type' : 'large object';
  };

  return {
    push(chunk) {
      const out: Buffer[] = [];
      /** From where on what is wanted has not been given out. */
      let from = 0;
      let at = 0;
      const give = (to: number) => {
        if (wanted && to > from) out.push(chunk.subarray(from, to));
      };
      while (at < chunk.length) {
        if (left > 0) {
          const step = Math.min(left, chunk.length - at);
          left -= step;
          at += step;
          continue;
        }
        if (place === 'type') {
          give(at);
          wanted = false;
          type = chunk[at] ?? 0;
          if (type !== DATA && type !== LARGE_OBJECTS) throw corrupt('a block is of no known kind');
          at += 1;
          place = 'id';
          continue;
        }
        const step = Math.min(NUMBER - have, chunk.length - at);
        chunk.copy(number, have, at, at + step);
        have += step;
        at += step;
        if (have < NUMBER) break;
        have = 0;
        const value = place === 'large object' ? unsigned(number) : readInt(number);
        if (place !== 'id') {
          turn(value);
          continue;
        }
        wanted = isWanted(value);
        place = type === DATA ? 'piece' : 'large object';
        // Whether it is wanted was known only now.
        if (wanted) out.push(Buffer.from([type, ...number]));
        from = at;
      }
      if (place !== 'id') give(chunk.length);
      return out;
    },
    end() {
      if (place !== 'type') throw corrupt('its data ends in the middle of a block');
    },
  };
}

/** An oid has 32 bits, and is written like a number that has a sign. */
function unsigned(number: Buffer): number {
  return number.readUInt32LE(1);
}
