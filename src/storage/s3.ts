/** Objects in a bucket of an S3-compatible server. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { StoreAccess } from '../api/task.ts';
import { formatBytes } from '../lib/bytes.ts';
import { HoldfastError } from '../lib/errors.ts';
import { PATIENT, type Patience } from './retry.ts';
import { checkEntityTag, S3Connection, type S3Login, until } from './s3-client.ts';
import { openS3Download } from './s3-download.ts';
import { isFault } from './s3-errors.ts';
import { beginS3Upload, PIECES, PieceBuffers, type PieceLimits, versionOf } from './s3-upload.ts';
import type { Storage, StoredObject, Upload } from './storage.ts';

export interface S3Options {
  /** Ends every request but those that clean up. */
  readonly signal?: AbortSignal;
  readonly patience?: Patience;
  readonly pieces?: PieceLimits;
  /** PEM: who may have signed the server's certificate, in place of the public authorities. */
  readonly authorities?: string;
}

export function openS3(access: StoreAccess, login: S3Login, options: S3Options = {}): Storage {
  return new S3Storage(access, login, options);
}

class S3Storage implements Storage {
  readonly #connection: S3Connection;
  readonly #buffers: PieceBuffers;
  readonly #signal: AbortSignal | undefined;

  constructor(access: StoreAccess, login: S3Login, options: S3Options) {
    const { patience = PATIENT, authorities } = options;
    this.#connection = new S3Connection(access, login, { patience, authorities });
    this.#buffers = new PieceBuffers(options.pieces ?? PIECES);
    this.#signal = options.signal;
  }

  async put(key: string, body: Uint8Array, options: { readonly ifAbsent?: boolean } = {}): Promise<StoredObject> {
    const md5 = createHash('md5').update(body).digest();
    const command = new PutObjectCommand({
      Bucket: this.#connection.bucket,
      Key: key,
      Body: body,
      ContentLength: body.length,
      ContentMD5: md5.toString('base64'),
      ...(options.ifAbsent === true ? { IfNoneMatch: '*' } : {}),
    });
    const answer = await this.#connection.request(
      `write ${key}`,
      async (client) => {
        const answer = await client.send(command, until(this.#signal)).catch((caught: unknown) => {
          throw options.ifAbsent === true && isFault(caught, 'PreconditionFailed', 412) ? exists(key) : caught;
        });
        checkEntityTag(answer, md5);
        return answer;
      },
      { signal: this.#signal },
    );
    return stored(key, body.length, answer.VersionId);
  }

  beginUpload(key: string): Promise<Upload> {
    return beginS3Upload(this.#connection, this.#buffers, key, this.#signal);
  }

  get(key: string, options: { readonly versionId?: string; readonly signal?: AbortSignal } = {}): Promise<Readable> {
    const signals = [this.#signal, options.signal].filter((signal) => signal !== undefined);
    const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
    return openS3Download(this.#connection, { key, versionId: options.versionId }, signal);
  }

  async getSmall(key: string, limit: number, versionId?: string): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of await this.#getOrMissing(key, versionId)) {
      size += chunk.length;
      if (size > limit) throw new HoldfastError('ObjectTooLarge', `${key} is larger than ${formatBytes(limit)}`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  async stat(key: string, versionId?: string): Promise<StoredObject | undefined> {
    try {
      return await this.#head(key, versionId);
    } catch (caught) {
      if (isDenied(caught) && (await this.#isMissing(key))) return undefined;
      throw caught;
    }
  }

  async remove(key: string, versionId?: string): Promise<void> {
    const command = new DeleteObjectCommand({
      Bucket: this.#connection.bucket,
      Key: key,
      ...(versionId === undefined ? {} : { VersionId: versionId }),
    });
    const remove = async (client: S3Client) => {
      try {
        await client.send(command, until(this.#signal));
      } catch (caught) {
        if (!isFault(caught, 'NoSuchKey', 404)) throw caught;
      }
    };
    await this.#connection.request(`remove ${key}`, remove, { signal: this.#signal });
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    let token: string | undefined;
    do {
      const page: ListObjectsV2CommandOutput = await this.#page(prefix, token);
      for (const { Key, Size } of page.Contents ?? []) yield stored(Key ?? '', Size ?? -1, undefined);
      token = page.NextContinuationToken;
      if (page.IsTruncated === true && token === undefined) {
        throw new HoldfastError(
          'StoreRejected',
          `the server cut the list of ${prefix} off and does not say how to go on`,
        );
      }
    } while (token !== undefined);
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  async #getOrMissing(key: string, versionId: string | undefined): Promise<Readable> {
    try {
      return await this.get(key, versionId === undefined ? {} : { versionId });
    } catch (caught) {
      if (isDenied(caught) && (await this.#isMissing(key))) throw missing(key);
      throw caught;
    }
  }

  /**
   * To whoever may list only a part of the bucket, AWS says "denied" also of what is not there. The list of that part can
   * tell the one from the other.
   */
  async #isMissing(key: string): Promise<boolean> {
    try {
      const { Contents } = await this.#page(key, undefined);
      return !(Contents ?? []).some(({ Key }) => Key === key);
    } catch (caught) {
      if (isDenied(caught)) return false;
      throw caught;
    }
  }

  #head(key: string, versionId: string | undefined): Promise<StoredObject | undefined> {
    const command = new HeadObjectCommand({
      Bucket: this.#connection.bucket,
      Key: key,
      ...(versionId === undefined ? {} : { VersionId: versionId }),
    });
    return this.#connection.request(
      `look at ${key}`,
      async (client) => {
        try {
          const found = await client.send(command, until(this.#signal));
          return stored(key, found.ContentLength ?? -1, found.VersionId);
        } catch (caught) {
          if (isFault(caught, 'NotFound', 404)) return undefined;
          throw caught;
        }
      },
      { signal: this.#signal },
    );
  }

  #page(prefix: string, token: string | undefined): Promise<ListObjectsV2CommandOutput> {
    const command = new ListObjectsV2Command({
      Bucket: this.#connection.bucket,
      Prefix: prefix,
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    return this.#connection.request(`list ${prefix}`, (client) => client.send(command, until(this.#signal)), {
      signal: this.#signal,
    });
  }
}

function stored(key: string, size: number, versionId: string | undefined): StoredObject {
  const version = versionOf(versionId);
  return { key, size, ...(version === undefined ? {} : { versionId: version }) };
}

const isDenied = (caught: unknown) => caught instanceof HoldfastError && caught.reason === 'StoreAccessDenied';

function missing(key: string): HoldfastError {
  return new HoldfastError('ObjectNotFound', `${key} is not in the bucket`, {
    hint: 'See whether a lifecycle rule or a person removed it.',
  });
}

function exists(key: string): HoldfastError {
  return new HoldfastError('ObjectExists', `${key} is there already`);
}
