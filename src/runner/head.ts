import type { WritingProgram } from '../engines/engine.ts';
import { isSymptom, write } from '../platform/writing.ts';
import { type Filter, startDecompressor } from './stages/zstd.ts';
import { feed, type Unpacking } from './unpack.ts';

/**
 * The beginning of a stored part, into a program that ends by itself when it has seen enough: then no more is downloaded.
 * What it saw was authenticated piece by piece, but nobody knows yet whether the rest is whole.
 */
export async function readHead(job: Pick<Unpacking, 'read' | 'identities' | 'start' | 'signal'>): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([job.signal, stop.signal]);
  const sink = job.start();
  const zstd = startDecompressor(signal);
  const moved = Promise.all([feed(job, zstd, signal), drain(zstd, sink)]).catch((caught: unknown) => {
    // Its own end is what breaks the pipes.
    if (stop.signal.aborted || isSymptom(caught)) return;
    sink.kill();
    throw caught;
  });
  try {
    await Promise.race([sink.done, moved.then(() => sink.done)]);
  } catch (caught) {
    job.signal.throwIfAborted();
    throw caught;
  } finally {
    stop.abort();
    sink.kill();
    await Promise.allSettled([moved, zstd.done, sink.done]);
  }
}

async function drain(zstd: Filter, sink: WritingProgram): Promise<void> {
  for await (const piece of zstd.stdout as AsyncIterable<Uint8Array>) await write(sink.input, piece);
  sink.input.end();
}
