import type { Writable } from 'node:stream';

/** What a broken pipe looks like from our end: it tells that the program went, not why. */
const SYMPTOMS = new Set([
  'EPIPE',
  'ECONNRESET',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

export function isSymptom(caught: unknown): boolean {
  return SYMPTOMS.has((caught as NodeJS.ErrnoException | null)?.code ?? '');
}

/** Resolves when the stream has taken the bytes; rejects when it is broken, also while it waits. */
export function write(stream: Writable, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // A stream that is destroyed while a write hangs in it may never answer that write.
    const closed = () => reject(Object.assign(new Error('the stream was closed'), { code: 'ERR_STREAM_DESTROYED' }));
    stream.once('close', closed);
    stream.write(bytes, (error) => {
      stream.off('close', closed);
      if (error) reject(error);
      else resolve();
    });
  });
}
