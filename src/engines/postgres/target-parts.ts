import type { DatabaseAccess } from '../../api/task.ts';
import type { TargetRequest } from '../engine.ts';
import type { Means } from './means.ts';
import type { SwapSeams } from './swap.ts';

/** All that work on a target is done with. */
export interface Parts extends Means {
  readonly access: DatabaseAccess;
  readonly request: TargetRequest;
  readonly seams: TargetSeams;
}

/** Where tests stand in the way. */
export interface TargetSeams extends SwapSeams {
  /** Bytes of rows that one of several connections gets at a time. */
  readonly runOfRows?: number;
}
