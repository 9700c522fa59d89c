import type { DatabaseContents } from '../archive/contents.ts';
import type { Manifest } from '../archive/manifest.ts';
import type { TargetRequest } from '../engines/engine.ts';
import { readHead } from './head.ts';
import type { PartsJob } from './load.ts';
import { readPart } from './segments.ts';

/** What is in a dump is told at its beginning: no more of it is downloaded than a plan needs to see. */
export function beginningOf(
  job: PartsJob,
  manifest: Manifest,
  { parts: [first] }: DatabaseContents,
): NonNullable<TargetRequest['begin']> {
  const segments = manifest.segments.filter(({ part }) => part === first?.part);
  return (program) =>
    readHead({
      read: (signal) => readPart(job.storage, job.task.archive.folder, segments, signal),
      identities: job.identities,
      start: () => program,
      signal: job.context.signal,
    });
}
