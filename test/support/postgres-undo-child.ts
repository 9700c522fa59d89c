/** A process that undoes a restore and gets a signal before one statement of the swap; see postgres-swap-child.ts. */
import { openUndo } from '../../src/engines/postgres/undo.ts';
import { swapInterrupted } from './postgres-swap-seams.ts';

await swapInterrupted(openUndo);
