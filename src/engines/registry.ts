import type { DatabaseAccess } from '../api/task.ts';
import type { Engine } from './engine.ts';
import { postgres } from './postgres/engine.ts';

const ENGINES: Readonly<Record<DatabaseAccess['engine'], Engine>> = { postgresql: postgres };

/** The engine of a database, for the runner. The operator knows engines by their specs only. */
export function engineOf(database: Pick<DatabaseAccess, 'engine'>): Engine {
  return ENGINES[database.engine];
}
