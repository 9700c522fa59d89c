/** A process that swaps and, before one statement of the swap, gets a signal: SIGKILL to be gone, SIGSTOP to be paused. */
import { openTarget } from '../../src/engines/postgres/target.ts';
import { swapInterrupted } from './postgres-swap-seams.ts';

await swapInterrupted(openTarget);
