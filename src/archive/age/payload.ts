/**
 * The payload of an age file, on node:crypto: a 16-byte nonce, then chunks of 64 KiB, each sealed by ChaCha20-Poly1305.
 * The key comes from the file key and the nonce by HKDF-SHA-256; a chunk's own nonce is its number (11 bytes, big
 * endian) and a flag that is set on the last one. Format: https://c2sp.org/age
 *
 * The library's own payload code is JavaScript and some ten times slower; its public test vectors hold this one.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { HoldfastError } from '../../lib/errors.ts';

const ALGORITHM = 'chacha20-poly1305';
export const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const NONCE_BYTES = 16;
const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;

type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Nonce and sealed chunks of `plain`, in pieces for the consumer to take before it asks for more. */
export async function* sealPayload(fileKey: Uint8Array, plain: Bytes): AsyncGenerator<Uint8Array> {
  const nonce = randomBytes(NONCE_BYTES);
  yield nonce;
  const sealer = new ChunkSealer(payloadKey(fileKey, nonce));
  const chunks = new Chunker(CHUNK_BYTES);
  for await (const piece of plain) {
    for (const chunk of chunks.push(piece, true)) yield* sealer.seal(chunk, false);
  }
  yield* sealer.seal(chunks.rest(), true);
}

/**
 * The plain bytes of a payload. Each piece was authenticated before it is given out, but whether the payload is whole
 * is known only at the end: a consumer that must not act on a part has to wait for it. Fails with `ArchiveCorrupt`.
 */
export async function* openPayload(fileKey: Uint8Array, payload: Bytes): AsyncGenerator<Uint8Array> {
  const nonces = new Chunker(NONCE_BYTES);
  const chunks = new Chunker(SEALED_CHUNK_BYTES);
  let opener: ChunkOpener | undefined;
  for await (const arrived of payload) {
    let piece = arrived;
    if (opener === undefined) {
      const nonce = nonces.take(piece);
      if (nonce === undefined) continue;
      opener = new ChunkOpener(payloadKey(fileKey, nonce.head));
      piece = nonce.rest;
    }
    for (const chunk of chunks.push(piece, false)) yield opener.openFull(chunk);
  }
  if (opener === undefined) throw corrupt('the payload ends within its nonce');
  const last = opener.openRest(chunks.rest());
  if (last.length > 0) yield last;
}

function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
}

/** The number of a chunk, and the nonce that it makes. Six of the eleven bytes count: 2^48 chunks are 16 EiB. */
class ChunkCounter {
  readonly #nonce = Buffer.alloc(12);
  #number = 0;

  get number(): number {
    return this.#number;
  }

  advance(): void {
    this.#number += 1;
  }

  nonce(last: boolean): Uint8Array {
    this.#nonce.writeUIntBE(this.#number, 5, 6);
    this.#nonce[11] = last ? 1 : 0;
    return this.#nonce;
  }
}

class ChunkSealer {
  readonly #key: Uint8Array;
  readonly #counter = new ChunkCounter();

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** The sealed chunk and its tag, apart: joining them would copy every byte once more. */
  seal(chunk: Uint8Array, last: boolean): readonly Uint8Array[] {
    const cipher = createCipheriv(ALGORITHM, this.#key, this.#counter.nonce(last), { authTagLength: TAG_BYTES });
    const sealed = cipher.update(chunk);
    cipher.final();
    this.#counter.advance();
    return [sealed, cipher.getAuthTag()];
  }
}

class ChunkOpener {
  readonly #key: Uint8Array;
  readonly #counter = new ChunkCounter();
  #ended = false;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** A chunk of full size may be the last one: only trying tells, and it is tried second, as it happens once at most. */
  openFull(chunk: Uint8Array): Uint8Array {
    if (this.#ended) throw corrupt('there are bytes behind the last chunk of the payload');
    const plain = this.#open(chunk, false);
    if (plain !== undefined) {
      this.#counter.advance();
      return plain;
    }
    const last = this.#open(chunk, true);
    if (last === undefined) throw corrupt(`chunk ${this.#counter.number} of the payload was changed`);
    this.#ended = true;
    return last;
  }

  /** What is left when the bytes have ended: the last chunk, unless a full one was it. */
  openRest(chunk: Uint8Array): Uint8Array {
    if (this.#ended) {
      if (chunk.length > 0) throw corrupt('there are bytes behind the last chunk of the payload');
      return chunk;
    }
    const { number } = this.#counter;
    if (chunk.length < TAG_BYTES) throw corrupt(`the payload ends within chunk ${number}`);
    // An empty last chunk is for an empty payload only; elsewhere it would be a second way to write the same bytes.
    if (chunk.length === TAG_BYTES && number > 0) throw corrupt('the last chunk of the payload is empty');
    const plain = this.#open(chunk, true);
    if (plain === undefined) throw corrupt(`the payload is cut off or was changed at chunk ${number}`);
    return plain;
  }

  /** Undefined when the tag does not fit. */
  #open(chunk: Uint8Array, last: boolean): Uint8Array | undefined {
    const end = chunk.length - TAG_BYTES;
    const decipher = createDecipheriv(ALGORITHM, this.#key, this.#counter.nonce(last), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(chunk.subarray(end));
    const plain = decipher.update(chunk.subarray(0, end));
    try {
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }
}

/**
 * Cuts pieces of any size into chunks of one size. A chunk that lies whole within a piece is not copied; the others share
 * one buffer, so each is good only until the next.
 */
class Chunker {
  readonly #size: number;
  readonly #buffer: Buffer;
  #used = 0;

  constructor(size: number) {
    this.#size = size;
    this.#buffer = Buffer.allocUnsafeSlow(size);
  }

  /** Every full chunk; with `keepLast`, only those that more bytes follow, since the last one is sealed differently. */
  *push(piece: Uint8Array, keepLast: boolean): Generator<Uint8Array> {
    const enough = this.#size + (keepLast ? 1 : 0);
    let rest = piece;
    while (this.#used + rest.length >= enough) {
      if (this.#used === 0) {
        yield rest.subarray(0, this.#size);
        rest = rest.subarray(this.#size);
      } else {
        rest = this.#fill(rest);
        this.#used = 0;
        yield this.#buffer;
      }
    }
    this.#fill(rest);
  }

  /** The first `size` bytes, once they are there, and the rest of the piece. */
  take(piece: Uint8Array): { readonly head: Uint8Array; readonly rest: Uint8Array } | undefined {
    const rest = this.#fill(piece);
    return this.#used === this.#size ? { head: this.#buffer, rest } : undefined;
  }

  rest(): Uint8Array {
    return this.#buffer.subarray(0, this.#used);
  }

  #fill(piece: Uint8Array): Uint8Array {
    const count = Math.min(piece.length, this.#size - this.#used);
    this.#buffer.set(piece.subarray(0, count), this.#used);
    this.#used += count;
    return piece.subarray(count);
  }
}

function corrupt(message: string): HoldfastError {
  return new HoldfastError('ArchiveCorrupt', message);
}
