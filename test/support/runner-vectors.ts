/** The public test vectors of the age format (package cctv-age), those whose recipients and encoding archives use. */
import { inflateSync } from 'node:zlib';
import * as files from 'cctv-age';

export interface Vector {
  readonly name: string;
  readonly expect: 'success' | 'no match' | 'HMAC failure' | 'header failure' | 'payload failure';
  /** SHA-256 of everything that may be given out, also by a decryption that fails later. */
  readonly payload: string | undefined;
  readonly fileKey: string | undefined;
  readonly identities: readonly string[];
  readonly file: Uint8Array;
}

/** Passphrases and ASCII armour are no part of an archive. */
export function nativeVectors(): Vector[] {
  return Object.entries(files as unknown as Record<string, Uint8Array>).flatMap(([name, bytes]) => {
    const vector = Buffer.from(bytes);
    const end = vector.indexOf('\n\n');
    const fields = vector
      .subarray(0, end)
      .toString()
      .split('\n')
      .map((line) => line.split(': ', 2));
    const values = (key: string) => fields.flatMap(([name, value]) => (name === key ? [value ?? ''] : []));
    if (values('armored').length > 0 || values('passphrase').length > 0) return [];
    const body = vector.subarray(end + 2);
    return [
      {
        name,
        expect: values('expect')[0] as Vector['expect'],
        payload: values('payload')[0],
        fileKey: values('file key')[0],
        identities: values('identity'),
        file: values('compressed')[0] === 'zlib' ? inflateSync(body) : body,
      },
    ];
  });
}

/** The bytes in pieces of one size. */
export function* piecesOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function* asyncPiecesOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  yield* piecesOf(bytes, size);
}

/** Collects copies, since a stage may reuse its buffers. */
export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}
