import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { HoldfastError } from '../lib/errors.ts';
import { type Patience, pause } from './retry.ts';
import { checkEntityTag, type S3Connection, until } from './s3-client.ts';
import { isFault } from './s3-errors.ts';
import type { StoredObject, Upload } from './storage.ts';

/** Memory of an upload is piece × parallel; 10,000 pieces, the most that S3 allows, are 78 GiB. */
export interface PieceLimits {
  readonly pieceBytes: number;
  readonly parallel: number;
}

export const PIECES: PieceLimits = { pieceBytes: 8 * 1024 * 1024, parallel: 4 };

/** A piece that was under way while the upload was aborted may appear afterwards: the server is asked this often, a second apart. */
const ABORT_ROUNDS = 20;
const ABORT_ROUND_MS = 1_000;

/** Half a minute's grace of the kubelet must suffice, and a store that just failed gets a little time to come back. */
const ABORT_PATIENCE: Patience = { attempts: 8, firstDelayMs: 200, longestDelayMs: 4_000 };

/** Buffers of pieces, kept for the next upload: one segment after another would otherwise leave its buffers to the garbage collector. */
export class PieceBuffers {
  readonly limits: PieceLimits;
  readonly #spare: Buffer[] = [];

  constructor(limits: PieceLimits) {
    this.limits = limits;
  }

  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.limits.pieceBytes);
  }

  giveBack(buffer: Buffer): void {
    if (this.#spare.length < this.limits.parallel) this.#spare.push(buffer);
  }
}

export async function beginS3Upload(
  connection: S3Connection,
  buffers: PieceBuffers,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Upload> {
  const { UploadId } = await connection.request(
    `begin the upload of ${key}`,
    (client) => client.send(new CreateMultipartUploadCommand({ Bucket: connection.bucket, Key: key }), until(signal)),
    { signal },
  );
  if (UploadId === undefined) throw new HoldfastError('StoreRejected', 'the server began an upload without a name');
  return new S3Upload(connection, buffers, key, UploadId, signal);
}

class S3Upload implements Upload {
  readonly #connection: S3Connection;
  readonly #buffers: PieceBuffers;
  readonly #target: { readonly Bucket: string; readonly Key: string; readonly UploadId: string };
  /** Ends every piece under way: by the run's signal, by the failure of one of them, or by {@link abort}. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #tags: string[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #piece: Buffer | undefined;
  #used = 0;
  #pieces = 0;
  #size = 0;
  #failure: unknown;

  constructor(
    connection: S3Connection,
    buffers: PieceBuffers,
    key: string,
    uploadId: string,
    signal: AbortSignal | undefined,
  ) {
    this.#connection = connection;
    this.#buffers = buffers;
    this.#target = { Bucket: connection.bucket, Key: key, UploadId: uploadId };
    this.#signal = AbortSignal.any([this.#stop.signal, ...(signal === undefined ? [] : [signal])]);
  }

  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      const piece = await this.#room();
      const count = Math.min(rest.length, piece.length - this.#used);
      piece.set(rest.subarray(0, count), this.#used);
      this.#used += count;
      rest = rest.subarray(count);
      if (this.#used === piece.length) this.#send();
    }
  }

  async rest(): Promise<void> {
    // An upload of no pieces cannot be completed: an empty object has one, empty.
    if (this.#used > 0 || this.#pieces === 0) {
      await this.#room();
      this.#send();
    }
    await Promise.all(this.#underWay);
    this.#throwIfBroken();
  }

  async complete(): Promise<StoredObject> {
    await this.rest();
    const versionId = await this.#join();
    return { ...(await this.#checked()), ...(versionId === undefined ? {} : { versionId }) };
  }

  async abort(): Promise<void> {
    this.#failure ??= new Error('the upload was aborted');
    this.#stop.abort(this.#failure);
    await Promise.all(this.#underWay);
    this.#dropPiece();
    for (let round = 0; round < ABORT_ROUNDS; round += 1) {
      if (round > 0) await pause(ABORT_ROUND_MS);
      await this.#abortOnce(this.#target.UploadId);
      await this.#abortTwins();
      if (await this.#isGone()) return;
    }
    throw new HoldfastError('StoreRejected', `pieces of the aborted upload of ${this.#target.Key} are still listed`, {
      hint: 'Let a lifecycle rule of the bucket abort incomplete multipart uploads.',
    });
  }

  /** The piece that is being filled; waits for a buffer while all are under way. */
  async #room(): Promise<Buffer> {
    while (this.#piece === undefined && this.#underWay.size >= this.#buffers.limits.parallel) {
      await Promise.race(this.#underWay);
    }
    this.#throwIfBroken();
    this.#piece ??= this.#buffers.take();
    return this.#piece;
  }

  #send(): void {
    const buffer = this.#piece;
    if (buffer === undefined) return;
    const number = ++this.#pieces;
    const body = buffer.subarray(0, this.#used);
    this.#size += body.length;
    this.#piece = undefined;
    this.#used = 0;
    const sending = this.#sendPiece(number, body)
      .then((tag) => {
        this.#tags[number - 1] = tag;
        // Only now: a request that failed may still have its socket read from the buffer.
        this.#buffers.giveBack(buffer);
      })
      .catch((caught: unknown) => {
        this.#failure ??= caught;
        this.#stop.abort(caught);
      })
      .finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  async #sendPiece(number: number, body: Buffer): Promise<string> {
    const md5 = createHash('md5').update(body).digest();
    const input = {
      ...this.#target,
      PartNumber: number,
      Body: body,
      ContentLength: body.length,
      ContentMD5: md5.toString('base64'),
    };
    const answer = await this.#connection.request(
      `upload piece ${number} of ${this.#target.Key}`,
      async (client) => {
        const answer = await client.send(new UploadPartCommand(input), until(this.#signal));
        checkEntityTag(answer, md5);
        return answer;
      },
      { signal: this.#signal },
    );
    if (answer.ETag === undefined) throw new HoldfastError('StoreRejected', `piece ${number} got no entity tag`);
    return answer.ETag;
  }

  /** Joins the pieces. A lost answer is no failure when the object is there, whole: nobody else writes this key. */
  async #join(): Promise<string | undefined> {
    const Parts = this.#tags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
    return this.#connection.request(
      `complete the upload of ${this.#target.Key}`,
      async (client, attempt) => {
        try {
          const command = new CompleteMultipartUploadCommand({ ...this.#target, MultipartUpload: { Parts } });
          return versionOf((await client.send(command, until(this.#signal))).VersionId);
        } catch (caught) {
          if (attempt === 1 || !isFault(caught, 'NoSuchUpload')) throw caught;
          const head = new HeadObjectCommand({ Bucket: this.#target.Bucket, Key: this.#target.Key });
          const found = await client.send(head, until(this.#signal)).catch(() => undefined);
          if (found?.ContentLength !== this.#size) throw caught;
          return versionOf(found.VersionId);
        }
      },
      { signal: this.#signal },
    );
  }

  /** The object as the server now has it: some answer a completion with success and keep less than was sent. */
  async #checked(): Promise<StoredObject> {
    const { Bucket, Key } = this.#target;
    const found = await this.#connection.request(
      `look at ${Key}`,
      (client) => client.send(new HeadObjectCommand({ Bucket, Key }), until(this.#signal)),
      { signal: this.#signal },
    );
    if (found.ContentLength !== this.#size) {
      throw new HoldfastError(
        'StoreRejected',
        `${Key} has ${found.ContentLength} bytes where ${this.#size} were sent`,
        {
          hint: 'The S3 server lost bytes. See its log.',
        },
      );
    }
    return { key: Key, size: this.#size };
  }

  #throwIfBroken(): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#signal.throwIfAborted();
  }

  #dropPiece(): void {
    if (this.#piece !== undefined) this.#buffers.giveBack(this.#piece);
    this.#piece = undefined;
    this.#used = 0;
  }

  async #abortOnce(uploadId: string): Promise<void> {
    await this.#connection.request(
      `abort the upload of ${this.#target.Key}`,
      async (client) => {
        await client.send(new AbortMultipartUploadCommand({ ...this.#target, UploadId: uploadId })).catch(ignoreGone);
      },
      { patience: ABORT_PATIENCE },
    );
  }

  /** A lost answer to the beginning makes a second upload; the key is this attempt's own, so all of them are ours. */
  async #abortTwins(): Promise<void> {
    const { Bucket, Key } = this.#target;
    const list = new ListMultipartUploadsCommand({ Bucket, Prefix: Key });
    // Some servers do not have this call and some policies do not allow it: then the known one is all that is looked for.
    const found = await this.#connection.attempt((client) => client.send(list)).catch(() => undefined);
    for (const { Key: key, UploadId } of found?.Uploads ?? []) {
      if (key === Key && UploadId !== undefined) await this.#abortOnce(UploadId);
    }
  }

  async #isGone(): Promise<boolean> {
    const { Parts } = await this.#connection.request(
      `list the pieces of ${this.#target.Key}`,
      (client) => client.send(new ListPartsCommand({ ...this.#target })).catch(nothing),
      { patience: ABORT_PATIENCE },
    );
    return (Parts ?? []).length === 0;
  }
}

/** Some servers say NoSuchKey of an upload that is gone. */
function ignoreGone(caught: unknown): void {
  if (!isFault(caught, 'NoSuchUpload') && !isFault(caught, 'NoSuchKey')) throw caught;
}

function nothing(caught: unknown): { readonly Parts?: readonly unknown[] } {
  ignoreGone(caught);
  return {};
}

/** Buckets without versions answer nothing or the word `null`. */
export function versionOf(versionId: string | undefined): string | undefined {
  return versionId === 'null' || versionId === '' ? undefined : versionId;
}
