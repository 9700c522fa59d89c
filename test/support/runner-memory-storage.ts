/** A storage in memory: the reference of the contract, and the place where a test lets a store misbehave. */
import { Readable } from 'node:stream';
import { HoldfastError } from '../../src/lib/errors.ts';
import type { Storage, StoredObject, Upload } from '../../src/storage/storage.ts';

export interface Misbehaviour {
  /** Throws, or waits, before a piece of the upload of `key` is taken; `written` bytes came before. */
  onWrite?: (key: string, written: number) => void | Promise<void>;
  onComplete?: (key: string) => void | Promise<void>;
  onRemove?: (key: string) => void | Promise<void>;
  onPut?: (key: string) => void | Promise<void>;
  /** What reading gives instead of what was stored. */
  onRead?: (key: string, body: Buffer) => Buffer;
}

export class MemoryStorage implements Storage {
  readonly objects = new Map<string, Buffer>();
  readonly unfinished = new Set<string>();
  readonly misbehaviour: Misbehaviour = {};

  async put(key: string, body: Uint8Array, options: { readonly ifAbsent?: boolean } = {}): Promise<StoredObject> {
    await this.misbehaviour.onPut?.(key);
    if (options.ifAbsent === true && this.objects.has(key))
      throw new HoldfastError('ObjectExists', `${key} is there already`);
    this.objects.set(key, Buffer.from(body));
    return { key, size: body.length };
  }

  async remove(key: string): Promise<void> {
    await this.misbehaviour.onRemove?.(key);
    this.objects.delete(key);
  }

  async beginUpload(key: string): Promise<Upload> {
    this.unfinished.add(key);
    const pieces: Buffer[] = [];
    let size = 0;
    let over = false;
    const alive = () => {
      if (over) throw new Error('the upload was aborted');
    };
    return {
      write: async (chunk) => {
        alive();
        await this.misbehaviour.onWrite?.(key, size);
        size += chunk.length;
        pieces.push(Buffer.from(chunk));
      },
      rest: async () => alive(),
      complete: async () => {
        alive();
        await this.misbehaviour.onComplete?.(key);
        this.objects.set(key, Buffer.concat(pieces));
        this.unfinished.delete(key);
        return { key, size };
      },
      abort: async () => {
        over = true;
        this.unfinished.delete(key);
      },
    };
  }

  async get(key: string, options: { readonly signal?: AbortSignal } = {}): Promise<Readable> {
    const body = this.#read(key);
    const { signal } = options;
    const pieces = async function* () {
      for (let at = 0; at < body.length; at += 50_000) {
        signal?.throwIfAborted();
        yield body.subarray(at, at + 50_000);
      }
    };
    return Readable.from(pieces(), { objectMode: false });
  }

  async getSmall(key: string, limit: number): Promise<Uint8Array> {
    const body = this.#read(key);
    if (body.length > limit) throw new HoldfastError('ObjectTooLarge', `${key} is too large`);
    return body;
  }

  async stat(key: string): Promise<StoredObject | undefined> {
    const body = this.objects.get(key);
    return body === undefined ? undefined : { key, size: body.length };
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    for (const [key, body] of this.objects) if (key.startsWith(prefix)) yield { key, size: body.length };
  }

  [Symbol.dispose](): void {}

  #read(key: string): Buffer {
    const body = this.objects.get(key);
    if (body === undefined) throw new HoldfastError('ObjectNotFound', `there is no ${key}`);
    return this.misbehaviour.onRead?.(key, body) ?? body;
  }
}
