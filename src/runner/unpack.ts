import { openHeader, splitHeader } from '../archive/age/header.ts';
import { openPayload } from '../archive/age/payload.ts';
import type { WritingProgram } from '../engines/engine.ts';
import { HoldfastError } from '../lib/errors.ts';
import { isSymptom, write } from '../platform/writing.ts';
import { explained, succeeded, together } from './pipeline.ts';
import { type Meter, type SizedDigest, sameDigest } from './stages/meter.ts';
import { type Filter, startDecompressor } from './stages/zstd.ts';

export interface Unpacking {
  /** The stored part, by a reader that ends with the given signal and checks the digests of the manifest. */
  readonly read: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly identities: readonly string[];
  /** What must come out. */
  readonly plain: SizedDigest;
  /** The program that takes the dump; started here, so that it is never left without its killer. */
  readonly start: () => WritingProgram;
  readonly signal: AbortSignal;
  /** Told how far it is. */
  readonly meter: Meter;
}

/**
 * Store → decrypt → decompress → program. The program gets its last bytes, and the end of its input, only when every
 * byte was authenticated and the whole has the right size and digest; on any failure it is killed with its input open,
 * since some take the end of their input for the end of their work.
 */
export async function unpack(job: Unpacking): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([job.signal, stop.signal]);
  const sink = job.start();
  const zstd = startDecompressor(signal);
  const kill = () => sink.kill();
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  try {
    // A program that fails is noticed at once, also while its neighbours are busy.
    await together(stop, [feed(job, zstd, signal), drain(job, zstd, sink), sink.done, succeeded(zstd)]);
  } catch (caught) {
    job.signal.throwIfAborted();
    throw caught;
  } finally {
    signal.removeEventListener('abort', kill);
    await Promise.allSettled([zstd.done, sink.done]);
    sink.input.destroy();
  }
}

/** Store → decrypt → zstd. */
export async function feed(
  job: Pick<Unpacking, 'read' | 'identities'>,
  zstd: Filter,
  signal: AbortSignal,
): Promise<void> {
  const { header, payload } = await splitHeader(job.read(signal));
  const fileKey = await openHeader(header, job.identities);
  await explained(zstd, async () => {
    for await (const piece of openPayload(fileKey, payload)) await write(zstd.stdin, piece);
  });
  zstd.stdin.end();
}

async function drain(job: Unpacking, zstd: Filter, sink: WritingProgram): Promise<void> {
  let held: Uint8Array | undefined;
  await explained(zstd, async () => {
    for await (const piece of zstd.stdout as AsyncIterable<Uint8Array>) {
      job.meter.update(piece);
      if (job.meter.size > job.plain.size) throw differs();
      if (held !== undefined) await taken(sink, held);
      held = piece;
    }
  });
  // zstd ends well only after its input was ended, which `feed` does only after the last chunk was authenticated.
  await succeeded(zstd);
  if (!sameDigest(job.meter.result(), job.plain)) throw differs();
  if (held !== undefined) await taken(sink, held);
  sink.input.end();
  await sink.done;
}

/** Where the program's input breaks, the failure is how the program ended. */
async function taken(sink: WritingProgram, bytes: Uint8Array): Promise<void> {
  try {
    await write(sink.input, bytes);
  } catch (caught) {
    if (isSymptom(caught)) await sink.done;
    throw caught;
  }
}

function differs(): HoldfastError {
  return new HoldfastError('ArchiveCorrupt', 'the dump in the archive is not the one that was written', {
    hint: 'Use another backup.',
  });
}
