/** A process that swaps and, before one statement of the swap, gets a signal: SIGKILL to be gone, SIGSTOP to be paused. */
import type { DatabaseAccess } from '../../src/api/task.ts';
import type { TargetRequest } from '../../src/engines/engine.ts';
import { openTarget } from '../../src/engines/postgres/target.ts';
import { type SwapOrder, swapInterrupted } from './postgres-swap-seams.ts';

export type ChildOrder = SwapOrder<DatabaseAccess, TargetRequest>;

await swapInterrupted(openTarget);
