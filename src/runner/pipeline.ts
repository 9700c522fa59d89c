/** How stages are joined: bytes move at the pace of the slowest, and the first failure ends all of them. */
import type { Writable } from 'node:stream';
import { HoldfastError } from '../lib/errors.ts';
import { exitProblem, type Program } from '../platform/subprocess.ts';

/** What a broken pipe looks like from our end: it tells that the program went, not why. */
const SYMPTOMS = new Set([
  'EPIPE',
  'ECONNRESET',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

/** Runs tasks that lean on each other to their ends. The first failure aborts `stop`, which must end the others, and is the one thrown. */
export async function together(stop: AbortController, tasks: readonly Promise<void>[]): Promise<void> {
  let first: { readonly caught: unknown } | undefined;
  const watched = tasks.map((task) =>
    task.catch((caught: unknown) => {
      first ??= { caught };
      stop.abort(caught);
    }),
  );
  await Promise.all(watched);
  if (first !== undefined) throw first.caught;
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

/** Work on the pipes of a program; where they break, the failure is how the program ended. */
export async function explained(program: Program, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (caught) {
    if (!isSymptom(caught)) throw caught;
    await succeeded(program);
    throw caught;
  }
}

/** Waits for the end of a program; anything but exit code 0 is a failure, whatever it wrote before. */
export async function succeeded(program: Program): Promise<void> {
  const problem = exitProblem(await program.done);
  if (problem !== undefined) throw new HoldfastError('StageFailed', problem);
}

export function isSymptom(caught: unknown): boolean {
  return SYMPTOMS.has((caught as NodeJS.ErrnoException | null)?.code ?? '');
}
