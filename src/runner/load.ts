import type { LoadTask, RestoreBase } from '../api/task.ts';
import type { DatabaseContents } from '../archive/contents.ts';
import type { Manifest } from '../archive/manifest.ts';
import type { WritingProgram } from '../engines/engine.ts';
import type { Storage } from '../storage/storage.ts';
import type { RunnerContext } from './context.ts';
import { withProgress } from './progress.ts';
import { readPart } from './segments.ts';
import { Meter } from './stages/meter.ts';
import { unpack } from './unpack.ts';

export interface PartsJob {
  readonly task: Pick<RestoreBase, 'archive'>;
  readonly context: RunnerContext;
  readonly storage: Storage;
  readonly identities: readonly string[];
  /** Of several databases: plain bytes of those that are loaded, and of all. */
  readonly progress?: { readonly total: number; others(): number };
}

export interface LoadJob extends PartsJob {
  readonly task: LoadTask;
}

/** The parts of one database, one after the other, each into a program of its own. */
export async function loadParts(
  job: PartsJob,
  manifest: Manifest,
  contents: DatabaseContents,
  start: () => WritingProgram,
): Promise<void> {
  const { total, others = () => 0 } = job.progress ?? {};
  for (const { part, plain } of contents.parts) {
    const segments = manifest.segments.filter((segment) => segment.part === part);
    const meter = new Meter();
    await withProgress(
      job.context.log,
      'load',
      () => ({ bytes: others() + meter.size, totalBytes: total ?? plain.size }),
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
