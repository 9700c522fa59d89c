import { join } from 'node:path';
import { MOUNTS, type RunIdentity } from '../api/task.ts';
import type { Engine, EngineContext } from '../engines/engine.ts';
import type { Logger } from '../observability/log.ts';
import type { openS3 } from '../storage/s3.ts';

/** What a run needs of the world, apart from its task. */
export interface RunnerContext {
  /** Folder of the mounts. */
  readonly root: string;
  readonly engine: Engine;
  readonly openStorage: typeof openS3;
  readonly log: Logger;
  /** Aborted when the run must end; its reason is a HoldfastError. */
  readonly signal: AbortSignal;
  readonly now: () => Date;
  /** UID of our pod: names the attempt, so that two attempts never write the same object. */
  readonly attempt: string;
  readonly segmentBytes: number;
}

export function engineContext(context: RunnerContext, run: RunIdentity): EngineContext {
  return { temporary: join(context.root, MOUNTS.temporary), signal: context.signal, run };
}
