import { Check } from 'typebox/value';
import { newHeader, openHeader, splitHeader } from '../archive/age/header.ts';
import { openPayload, sealPayload } from '../archive/age/payload.ts';
import { type Contents, ContentsSchema } from '../archive/contents.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import { compressSmall, decompressSmall } from './stages/zstd.ts';

/** Of the stored object and of the text in it. A name of every table of a very large database is some megabytes. */
export const CONTENTS_LIMIT = 64 * 1024 * 1024;

export async function sealContents(contents: Contents, recipients: readonly string[]): Promise<Uint8Array> {
  const text = Buffer.from(`${JSON.stringify(contents, null, 2)}\n`);
  const { header, fileKey } = await newHeader(recipients);
  return Buffer.concat([header, await collect(sealPayload(fileKey, [await compressSmall(text)]))]);
}

/** Fails with `KeyMismatch` or `ArchiveCorrupt`. */
export async function openContents(sealed: Uint8Array, identities: readonly string[]): Promise<Contents> {
  const { header, payload } = await splitHeader(once(sealed));
  const compressed = await collect(openPayload(await openHeader(header, identities), payload));
  const value = parse(await decompressSmall(compressed, CONTENTS_LIMIT).catch(unreadable));
  if (!Check(ContentsSchema, value)) throw corrupt('it is no contents.json of ours');
  return value;
}

function parse(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'));
  } catch (caught) {
    return unreadable(caught);
  }
}

function unreadable(caught: unknown): never {
  throw corrupt(messageOf(caught));
}

function corrupt(problem: string): HoldfastError {
  return new HoldfastError('ArchiveCorrupt', `the contents of the archive cannot be read: ${problem}`);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Each piece is good only until the next, so it is copied. */
async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}
