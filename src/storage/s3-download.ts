import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { HoldfastError } from '../lib/errors.ts';
import { delayBefore, pause } from './retry.ts';
import { IDLE_TIMEOUT_MS, type S3Connection, until } from './s3-client.ts';
import { canHeal, isFault, storeError } from './s3-errors.ts';

/** So much progress makes the patience whole again: a long download may break often, but not without getting anywhere. */
const PROGRESS_BYTES = 1024 * 1024;

/** So does a connection that lived so long: a server closes it while the loader takes its time, which is nobody's failure. */
const LIVED_MS = 10_000;

export interface Wanted {
  readonly key: string;
  readonly versionId?: string | undefined;
}

/** Opens an object; the body goes on with a Range request where a connection breaks. */
export async function openS3Download(
  connection: S3Connection,
  wanted: Wanted,
  signal: AbortSignal | undefined,
): Promise<Readable> {
  const download = new S3Download(connection, wanted, signal);
  const first = await download.open();
  return Readable.from(download.bytes(first), { objectMode: false, highWaterMark: 256 * 1024 });
}

class S3Download {
  readonly #connection: S3Connection;
  readonly #wanted: Wanted;
  readonly #signal: AbortSignal | undefined;
  #size = 0;
  #entityTag: string | undefined;
  #position = 0;

  constructor(connection: S3Connection, wanted: Wanted, signal: AbortSignal | undefined) {
    this.#connection = connection;
    this.#wanted = wanted;
    this.#signal = signal;
  }

  async open(): Promise<Readable> {
    const answer = await this.#connection.request(`read ${this.#wanted.key}`, () => this.#send(), {
      signal: this.#signal,
    });
    if (answer.ContentLength === undefined) {
      throw new HoldfastError('StoreRejected', `the server does not say how long ${this.#wanted.key} is`);
    }
    this.#size = answer.ContentLength;
    this.#entityTag = answer.ETag;
    return bodyOf(answer);
  }

  /** Exactly the bytes of the object that was opened, or an error: an early end of a body is never taken for its end. */
  async *bytes(first: Readable): AsyncGenerator<Uint8Array> {
    let body: Readable | undefined = first;
    let failures = 0;
    let lastFailure = 0;
    let opened = performance.now();
    while (this.#position < this.#size) {
      try {
        if (body === undefined) {
          opened = performance.now();
          body = await this.#resume();
        }
        for await (const chunk of withIdleTimeout(body)) {
          this.#position += chunk.length;
          yield chunk;
        }
        if (this.#position < this.#size) throw brokenOff();
      } catch (caught) {
        body?.destroy();
        body = undefined;
        this.#signal?.throwIfAborted();
        const lived = performance.now() - opened >= LIVED_MS && !isFault(caught, 'ETIMEDOUT');
        failures = lived || this.#position - lastFailure >= PROGRESS_BYTES ? 1 : failures + 1;
        lastFailure = this.#position;
        await this.#giveUpOrWait(caught, failures);
      }
    }
    if (this.#position > this.#size)
      throw new HoldfastError('StoreRejected', `${this.#wanted.key} grew while it was read`);
  }

  async #giveUpOrWait(caught: unknown, failures: number): Promise<void> {
    const { patience, site } = this.#connection;
    const broken = caught instanceof HoldfastError ? false : canHeal(caught) || isBrokenBody(caught);
    if (!broken || failures >= patience.attempts) throw storeError(caught, site, `read ${this.#wanted.key}`);
    await pause(delayBefore(failures, patience), this.#signal);
  }

  /** The rest of the same object. The entity tag is compared here, since some servers misread it in If-Match. */
  async #resume(): Promise<Readable> {
    const answer = await this.#send(`bytes=${this.#position}-`);
    const body = bodyOf(answer);
    if (
      answer.ContentRange === `bytes ${this.#position}-${this.#size - 1}/${this.#size}` &&
      answer.ETag === this.#entityTag
    ) {
      return body;
    }
    body.destroy();
    throw new HoldfastError('ArchiveCorrupt', `${this.#wanted.key} changed while it was read`, {
      hint: 'Somebody overwrites objects of the archive. See who writes to the bucket.',
    });
  }

  #send(range?: string): Promise<GetObjectCommandOutput> {
    const { key, versionId } = this.#wanted;
    const command = new GetObjectCommand({
      Bucket: this.#connection.bucket,
      Key: key,
      ...(versionId === undefined ? {} : { VersionId: versionId }),
      ...(range === undefined ? {} : { Range: range }),
    });
    return this.#connection.attempt((client) => client.send(command, until(this.#signal)));
  }
}

function bodyOf(answer: GetObjectCommandOutput): Readable {
  if (!(answer.Body instanceof Readable)) throw new Error('the answer has no body');
  // The client's own idle time-out also runs while nobody asks for bytes; ours is in withIdleTimeout.
  (answer.Body as Partial<IncomingMessage>).socket?.setTimeout(0);
  return answer.Body;
}

/** Only the time in which bytes are waited for counts: a loader that takes its time is no dead connection. */
async function* withIdleTimeout(body: Readable): AsyncGenerator<Uint8Array> {
  const chunks = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => body.destroy(timedOut()), IDLE_TIMEOUT_MS);
      const { done, value } = await chunks.next().finally(() => clearTimeout(timer));
      if (done === true) return;
      yield value;
    }
  } finally {
    await chunks.return?.();
  }
}

/** What Node says of a body that ends early, by whatever side. */
function isBrokenBody(caught: unknown): boolean {
  const { code, message } = caught as NodeJS.ErrnoException;
  return code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'HPE_INVALID_EOF_STATE' || message === 'aborted';
}

function brokenOff(): Error {
  return Object.assign(new Error('the connection ended early'), { code: 'ECONNRESET' });
}

function timedOut(): Error {
  return Object.assign(new Error('no byte came for a minute'), { code: 'ETIMEDOUT' });
}
