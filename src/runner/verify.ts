import type { ManifestSegment } from '../archive/manifest.ts';
import type { Source } from '../engines/engine.ts';
import type { Storage } from '../storage/storage.ts';
import type { RunnerContext } from './context.ts';
import { withProgress } from './progress.ts';
import { readPart } from './segments.ts';
import { Meter, type SizedDigest } from './stages/meter.ts';
import { unpack } from './unpack.ts';

/**
 * Reads the stored bytes back, decrypts and decompresses them, compares them with what was dumped, and has the engine's
 * own tool read them to the end. Only what passes may get a manifest.
 */
export async function readBack(job: {
  readonly segments: readonly ManifestSegment[];
  readonly plain: SizedDigest;
  readonly source: Source;
  readonly storage: Storage;
  readonly folder: string;
  /** Of the run's ephemeral recipient. */
  readonly identity: string;
  readonly context: RunnerContext;
}): Promise<void> {
  const meter = new Meter();
  await withProgress(
    job.context.log,
    'read-back',
    () => ({ bytes: meter.size, totalBytes: job.plain.size }),
    () =>
      unpack({
        read: (signal) => readPart(job.storage, job.folder, job.segments, signal),
        identities: [job.identity],
        plain: job.plain,
        start: () => job.source.readToEnd(),
        signal: job.context.signal,
        meter,
      }),
  );
}
