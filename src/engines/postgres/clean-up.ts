import { setTimeout as sleep } from 'node:timers/promises';
import type { CleanupTask } from '../../api/task.ts';
import { notReady } from '../../lib/errors.ts';
import type { EngineContext, Login } from '../engine.ts';
import { connect, type Session } from './connection.ts';
import { dropPrevious, dropScratch } from './drop.ts';
import type { Endpoint } from './endpoint.ts';
import { attempting } from './faults.ts';
import { describeDatabase } from './properties.ts';
import { sessionName } from './session-name.ts';

/** A server process that was told to end is gone within milliseconds, unless it is deep in the disk. */
const PATIENCE_MS = 10_000;
const ROUND_MS = 100;

/**
 * Takes no lock: it touches only what bears this restore's mark, and must not wait for somebody else's work. Sessions that
 * a lost runner of this restore left behind are ended first, so that nothing of it can happen after the look.
 */
export async function cleanUp(
  task: CleanupTask,
  login: Login,
  context: EngineContext,
): Promise<{ restored: boolean; previousDatabase?: string }> {
  const { database, run } = task;
  const endpoint: Endpoint = {
    host: database.host,
    port: database.port,
    database: database.maintenanceDatabase,
    login,
    applicationName: sessionName('cleanup', run),
  };
  return attempting('cleaning up after the restore', context.signal, async () => {
    await using session = await connect(endpoint, context.signal);
    await endSessionsNamed(session, sessionName('restore', run));
    const live = await describeDatabase(session, database.database);
    await dropScratch(session, task.scratchDatabase, run.uid);
    if (task.dropPrevious) await dropPrevious(session, task.previousDatabase, run.uid);
    const previous = await describeDatabase(session, task.previousDatabase);
    return {
      restored: live?.notes.restores.some(({ uid }) => uid === run.uid) === true,
      ...(previous?.notes.previousOf === run.uid ? { previousDatabase: task.previousDatabase } : {}),
    };
  });
}

const END_NAMED = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE application_name = $1 AND usename = current_user AND pid <> pg_backend_pid()`;

async function endSessionsNamed(session: Session, name: string): Promise<void> {
  for (let waited = 0; waited <= PATIENCE_MS; waited += ROUND_MS) {
    const ended = await session.query(END_NAMED, [name]);
    if (ended.length === 0) return;
    await sleep(ROUND_MS);
  }
  throw notReady(
    'RunStillActive',
    `sessions of an earlier run (${name}) do not end`,
    'look for them in pg_stat_activity',
  );
}
