/** A process that undoes a restore and gets a signal before one statement of the swap; see postgres-swap-child.ts. */
import type { ServerAccess } from '../../src/api/task.ts';
import type { UndoRequest } from '../../src/engines/engine.ts';
import { openUndo } from '../../src/engines/postgres/undo.ts';
import { type SwapOrder, swapInterrupted } from './postgres-swap-seams.ts';

export type UndoChildOrder = SwapOrder<ServerAccess, UndoRequest>;

await swapInterrupted(openUndo);
