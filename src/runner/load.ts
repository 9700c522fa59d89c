import type { RestoreTask } from '../api/task.ts';
import type { DatabaseContents } from '../archive/contents.ts';
import type { Manifest } from '../archive/manifest.ts';
import type { WritingProgram } from '../engines/engine.ts';
import type { Storage } from '../storage/storage.ts';
import type { RunnerContext } from './context.ts';
import { withProgress } from './progress.ts';
import { readPart } from './segments.ts';
import { Meter } from './stages/meter.ts';
import { unpack } from './unpack.ts';

export interface LoadJob {
  readonly task: RestoreTask;
  readonly context: RunnerContext;
  readonly storage: Storage;
  readonly identities: readonly string[];
  /** Of several databases: plain bytes of those before, and of all. */
  readonly progress?: { readonly before: number; readonly total: number };
}

/** The parts of one database, one after the other, each into a program of its own. */
export async function loadParts(
  job: LoadJob,
  manifest: Manifest,
  contents: DatabaseContents,
  start: () => WritingProgram,
): Promise<void> {
  const { before = 0, total } = job.progress ?? {};
  for (const { part, plain } of contents.parts) {
    const segments = manifest.segments.filter((segment) => segment.part === part);
    const meter = new Meter();
    await withProgress(
      job.context.log,
      'load',
      () => ({ bytes: before + meter.size, totalBytes: total ?? plain.size }),
      () =>
        unpack({
          read: (signal) => readPart(job.storage, job.task.archive.folder, segments, signal),
          identities: job.identities,
          plain,
          start,
          signal: job.context.signal,
          meter,
        }),
    );
  }
}

export function plainBytes({ parts }: DatabaseContents): number {
  return parts.reduce((sum, { plain }) => sum + plain.size, 0);
}
