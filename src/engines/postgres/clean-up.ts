import { setTimeout as sleep } from 'node:timers/promises';
import { type CleanupTask, isOneDatabase } from '../../api/task.ts';
import { notReady } from '../../lib/errors.ts';
import type { CleanupOutcome, EngineContext, Login } from '../engine.ts';
import { connect, type Session } from './connection.ts';
import { databaseNames, dropAllPrevious, dropAllScratch, dropPrevious, dropRoles, dropScratch } from './drop.ts';
import { endpointOf } from './endpoint.ts';
import { attempting } from './faults.ts';
import { replacedBy } from './marker.ts';
import { describeDatabase } from './properties.ts';
import { sessionName } from './session-name.ts';

/** A server process that was told to end is gone within milliseconds, unless it is deep in the disk. */
const PATIENCE_MS = 10_000;
const ROUND_MS = 100;

/**
 * Takes no lock: it touches only what bears this restore's mark or its UID in the name, and must not wait for somebody else's work. Sessions that
 * a lost runner of this restore left behind are ended first, so that nothing of it can happen after the look.
 */
export async function cleanUp(task: CleanupTask, login: Login, context: EngineContext): Promise<CleanupOutcome> {
  const { database, run } = task;
  const endpoint = endpointOf(database, login, database.maintenanceDatabase, sessionName('cleanup', run));
  return attempting('cleaning up after the restore', context.signal, async () => {
    await using session = await connect(endpoint, context.signal);
    await endSessionsNamed(session, sessionName('restore', run));
    if (!isOneDatabase(database)) return await cleanUpServer(session, task);
    const live = await describeDatabase(session, database.database);
    if (!task.keepScratch) await dropScratch(session, task.scratchDatabase, run.uid);
    if (task.dropPrevious) await dropPrevious(session, task.previousDatabase, run.uid);
    const previous = await describeDatabase(session, task.previousDatabase);
    return {
      restored: live?.notes.restores.some(({ uid }) => uid === run.uid) === true,
      ...(previous?.notes.previousOf === run.uid ? { previousDatabase: task.previousDatabase } : {}),
    };
  });
}

/** What the restore of a whole server left is told by marks and names. */
async function cleanUpServer(session: Session, task: CleanupTask): Promise<CleanupOutcome> {
  const { uid } = task.run;
  if (!task.keepScratch) await dropAllScratch(session, uid);
  if (task.dropPrevious) await dropAllPrevious(session, uid);
  let restored = false;
  const previousDatabases: string[] = [];
  for (const name of await databaseNames(session)) {
    const facts = await describeDatabase(session, name);
    if (facts === undefined) continue;
    if (facts.notes.restores.some((mark) => mark.uid === uid)) restored = true;
    if (replacedBy(facts.notes, name) === uid) previousDatabases.push(name);
  }
  if (!restored) await dropRoles(session, uid);
  return { restored, previousDatabases };
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
