import type { Readable } from 'node:stream';

export interface StoredObject {
  readonly key: string;
  readonly size: number;
  /** Absent where the bucket has no versions. */
  readonly versionId?: string;
}

/**
 * A place for objects, below which everything is named by its full key.
 *
 * Errors are HoldfastErrors: `BucketNotFound`, `StoreAccessDenied`, `StoreUnreachable`, `StoreCredentialsInvalid`,
 * `ClockSkewed` and `StoreRejected`; a bare network fault is tried again inside, within bounds, and only then thrown.
 */
export interface Storage {
  /**
   * Writes a small object whose bytes are in memory, whole or not at all. With `ifAbsent`, an object that is already
   * there stays and the error is `ObjectExists`.
   */
  put(key: string, body: Uint8Array, options?: { readonly ifAbsent?: boolean }): Promise<StoredObject>;
  /** Begins an object that grows; it is visible only after `complete`. */
  beginUpload(key: string): Promise<Upload>;
  /** Reads an object from the start; cut connections are resumed where they broke. The error of a missing one is `ObjectNotFound`. */
  get(key: string, options?: { readonly versionId?: string; readonly signal?: AbortSignal }): Promise<Readable>;
  /** Reads a whole small object. More than `limit` bytes is an error: it comes from outside. */
  getSmall(key: string, limit: number, versionId?: string): Promise<Uint8Array>;
  /** Undefined when there is none. */
  stat(key: string, versionId?: string): Promise<StoredObject | undefined>;
  /**
   * Removes one object, this very version where one is named. Gone already: nothing. Refused by a lock: `ObjectLocked`;
   * refused for want of a right: `StoreAccessDenied`.
   */
  remove(key: string, versionId?: string): Promise<void>;
  /** Every object below the prefix; a page that fails throws: a partial view is never returned as a whole one. */
  list(prefix: string): AsyncIterable<StoredObject>;
  [Symbol.dispose](): void;
}

/** One object that is being written in pieces. Pieces are kept in memory until they are acknowledged: size × parallel pieces, no more. */
export interface Upload {
  /** Waits while too much is in flight (backpressure). Every piece carries a checksum of the bytes in memory. */
  write(chunk: Uint8Array): Promise<void>;
  /** Ends the writing without completing the object: what is left is sent, and no piece stays in memory. Safe to repeat. */
  rest(): Promise<void>;
  complete(): Promise<StoredObject>;
  /** Leaves nothing behind: asks until the server lists no piece any more. Safe to repeat, also after a failed complete. */
  abort(): Promise<void>;
}
