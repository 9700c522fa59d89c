/**
 * The head of an age file: the textual header up to and with the line that bears its MAC. Written and read by the
 * library; what follows it is in payload.ts. Format: https://c2sp.org/age
 */
import { Decrypter, Encrypter } from 'age-encryption';
import { HoldfastError, messageOf } from '../../lib/errors.ts';

/** 16 recipients, all post-quantum, make about 26 KiB. What is larger is no header of ours. */
export const HEADER_LIMIT = 128 * 1024;

/** What the library puts behind the header of an empty file: nonce and the tag of the one empty chunk. */
const EMPTY_PAYLOAD_BYTES = 32;

const LINE_FEED = 0x0a;
const DASH = 0x2d;

export interface NewHeader {
  readonly header: Uint8Array;
  /** The file key, in this process's memory only. */
  readonly fileKey: Uint8Array;
}

/**
 * A header for a new file that any one of the recipients can open. The library makes it, with an empty file behind it
 * that is cut off; a recipient of our own, which adds no stanza, hears the file key.
 */
export async function newHeader(recipients: readonly string[]): Promise<NewHeader> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  let fileKey: Uint8Array | undefined;
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = Uint8Array.from(key);
      return [];
    },
  });
  const file = await encrypter.encrypt(new Uint8Array(0));
  if (recipients.length === 0 || fileKey === undefined) throw new Error('a header needs at least one recipient');
  return { header: file.slice(0, file.length - EMPTY_PAYLOAD_BYTES), fileKey };
}

/** The file key. Fails with `KeyMismatch` when none of the identities opens the header, with `ArchiveCorrupt` when it is damaged. */
export async function openHeader(header: Uint8Array, identities: readonly string[]): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  try {
    return await decrypter.decryptHeader(header);
  } catch (caught) {
    if (messageOf(caught).startsWith('no identity matched')) {
      throw new HoldfastError('KeyMismatch', 'none of the identities opens the age header', { cause: caught });
    }
    throw new HoldfastError('ArchiveCorrupt', `the age header is damaged: ${messageOf(caught)}`, { cause: caught });
  }
}

/** Finds the end of a header in bytes that arrive piece by piece. */
export class HeaderSplitter {
  #bytes: Buffer = Buffer.alloc(0);
  #lineStart = 0;

  /** Undefined until the header is whole; then the header and the bytes of `chunk` behind it. */
  push(chunk: Uint8Array): { readonly header: Uint8Array; readonly rest: Uint8Array } | undefined {
    const before = this.#bytes.length;
    this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(0, Math.max(0, HEADER_LIMIT - before))]);
    const end = this.#endOfHeader();
    if (end !== undefined) return { header: this.#bytes.subarray(0, end), rest: chunk.subarray(end - before) };
    if (this.#bytes.length >= HEADER_LIMIT) throw corrupt(`no age header ends within ${HEADER_LIMIT} bytes`);
    return undefined;
  }

  /** Only the line with the MAC begins with `---`: the others are `->` stanzas and their Base64, which has no dash. */
  #endOfHeader(): number | undefined {
    for (;;) {
      const end = this.#bytes.indexOf(LINE_FEED, this.#lineStart);
      if (end === -1) return undefined;
      const line = this.#bytes.subarray(this.#lineStart, end);
      if (line[0] === DASH && line[1] === DASH && line[2] === DASH) return end + 1;
      this.#lineStart = end + 1;
    }
  }
}

/** Splits a whole age file into header and what follows it. The header is small, the rest comes as it arrives. */
export async function splitHeader(
  file: AsyncIterable<Uint8Array>,
): Promise<{ readonly header: Uint8Array; readonly payload: AsyncIterable<Uint8Array> }> {
  const splitter = new HeaderSplitter();
  const chunks = file[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await chunks.next();
    if (done === true) throw corrupt('the age file ends within its header');
    const found = splitter.push(value);
    if (found !== undefined) return { header: found.header, payload: resume(found.rest, chunks) };
  }
}

async function* resume(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (first.length > 0) yield first;
    for (;;) {
      const { done, value } = await rest.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    await rest.return?.();
  }
}

function corrupt(message: string): HoldfastError {
  return new HoldfastError('ArchiveCorrupt', message);
}
