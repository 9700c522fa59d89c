import type { Storage } from '../storage/storage.ts';
import type { RunnerContext } from './context.ts';
import { withProgress } from './progress.ts';
import { readPart } from './segments.ts';
import { Meter } from './stages/meter.ts';
import type { WrittenPart } from './subject.ts';
import { unpack } from './unpack.ts';

/**
 * Reads the stored bytes of a part back, decrypts and decompresses them, compares them with what was dumped, and has the
 * engine's own tool read them to the end. Only what passes may get a manifest.
 */
export async function readBack(job: {
  readonly part: WrittenPart;
  /** Plain bytes of the parts before, and of all. */
  readonly progress: { readonly before: number; readonly total: number };
  readonly storage: Storage;
  readonly folder: string;
  /** Of the run's ephemeral recipient. */
  readonly identity: string;
  readonly context: RunnerContext;
}): Promise<void> {
  const { part, progress, context } = job;
  const meter = new Meter();
  await withProgress(
    context.log,
    'read-back',
    () => ({ bytes: progress.before + meter.size, totalBytes: progress.total }),
    () =>
      unpack({
        read: (signal) => readPart(job.storage, job.folder, part.segments, signal),
        identities: [job.identity],
        plain: part.plain,
        start: () => part.source.readToEnd(),
        signal: context.signal,
        meter,
      }),
  );
}
