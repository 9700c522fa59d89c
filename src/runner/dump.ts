import type { NewHeader } from '../archive/age/header.ts';
import { sealPayload } from '../archive/age/payload.ts';
import type { ReadingProgram, Source } from '../engines/engine.ts';
import { HoldfastError } from '../lib/errors.ts';
import { write } from '../platform/writing.ts';
import type { RunnerContext } from './context.ts';
import { explained, succeeded, together } from './pipeline.ts';
import { withProgress } from './progress.ts';
import type { SegmentWriter } from './segments.ts';
import { Meter, type SizedDigest } from './stages/meter.ts';
import { type Filter, startCompressor } from './stages/zstd.ts';

/**
 * Dump → count and digest → zstd → age → segments. Returns only after every program ended with exit code 0; the
 * compressor learns of the end of the dump only then, so the end of a stream alone never counts as success.
 */
export async function dumpInto(
  writer: SegmentWriter,
  { header, fileKey }: NewHeader,
  job: {
    readonly source: Pick<Source, 'dump'>;
    readonly level: number;
    readonly context: RunnerContext;
    /** What earlier parts came to, for the progress. */
    readonly before: { readonly bytes: number; readonly storedBytes: number };
  },
): Promise<SizedDigest> {
  const { context } = job;
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const meter = new Meter();
  await writer.begin(header);

  const dump = job.source.dump();
  const zstd = startCompressor(job.level, signal);
  const kill = () => dump.kill();
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  const facts = () => ({
    bytes: job.before.bytes + meter.size,
    storedBytes: job.before.storedBytes + writer.size,
  });
  try {
    await withProgress(context.log, 'dump', facts, () =>
      together(stop, [
        feed(dump, meter, zstd),
        drain(zstd, fileKey, writer),
        // A program that fails is noticed at once, also while its neighbours are busy with what it wrote before.
        dump.done,
        succeeded(zstd),
      ]),
    );
  } catch (caught) {
    context.signal.throwIfAborted();
    throw caught;
  } finally {
    signal.removeEventListener('abort', kill);
    await Promise.allSettled([dump.done, zstd.done]);
  }
  return meter.result();
}

async function feed(dump: ReadingProgram, meter: Meter, zstd: Filter): Promise<void> {
  await explained(zstd, async () => {
    for await (const piece of dump.output as AsyncIterable<Uint8Array>) {
      meter.update(piece);
      await write(zstd.stdin, piece);
    }
  });
  await dump.done;
  if (meter.size === 0) {
    throw new HoldfastError('EmptyDump', 'the dump is empty though the program that wrote it says that all is well', {
      hint: 'See the log of the Job.',
    });
  }
  zstd.stdin.end();
}

async function drain(zstd: Filter, fileKey: Uint8Array, writer: SegmentWriter): Promise<void> {
  await explained(zstd, async () => {
    for await (const piece of sealPayload(fileKey, zstd.stdout)) await writer.write(piece);
  });
  await succeeded(zstd);
}
