import { isScratchName } from '../../api/names.ts';
import type { Session } from './connection.ts';
import { sqlStateOf, statementFault } from './faults.ts';
import { replacedBy } from './marker.ts';
import { type DatabaseFacts, describeDatabase } from './properties.ts';
import { rolesMadeBy } from './roles.ts';
import { identifier } from './sql.ts';

/**
 * Drops the scratch database of a restore, if there is one. What is ours is told by the name, which has the restore's UID
 * in it and is never that of a live or a kept database. The mark may be gone: code of the archive, which runs as the
 * owner while it is loaded, writes the comment as it likes. What bears the name before our first load, the plan refuses.
 */
export async function dropScratch(session: Session, name: string, restoreUid: string): Promise<void> {
  await drop(session, name, () => isScratchName(name, { uid: restoreUid }));
}

/** The same of a whole server: how many databases there were is in the archive. */
export async function dropAllScratch(session: Session, restoreUid: string): Promise<void> {
  await dropAllOf(session, (_facts, name) => isScratchName(name, { uid: restoreUid }));
}

/** Drops the database that a restore replaced, if it is still there. One that is not ours is never touched. */
export async function dropPrevious(session: Session, name: string, restoreUid: string): Promise<void> {
  await drop(session, name, (facts) => facts.notes.previousOf === restoreUid);
}

/** Drops all databases that a restore replaced. */
export async function dropAllPrevious(session: Session, restoreUid: string): Promise<void> {
  await dropAllOf(session, ({ notes }, name) => replacedBy(notes, name) === restoreUid);
}

/** Drops every database of which `isOurs` is true. */
async function dropAllOf(session: Session, isOurs: (facts: DatabaseFacts, name: string) => boolean): Promise<void> {
  for (const name of await databaseNames(session)) await drop(session, name, (facts) => isOurs(facts, name));
}

export async function databaseNames(session: Session): Promise<readonly string[]> {
  const rows = await session.query<{ name: string }>('SELECT datname AS name FROM pg_database ORDER BY 1');
  return rows.map(({ name }) => name);
}

/** The roles that a restore made before it failed. One that has got something since stays, and is for people to look at. */
export async function dropRoles(session: Session, restoreUid: string): Promise<void> {
  for (const name of await rolesMadeBy(session, restoreUid)) {
    await session.query(`DROP ROLE IF EXISTS ${identifier(name)}`).catch((caught: unknown) => {
      if (sqlStateOf(caught) !== '2BP01') throw statementFault(caught, `dropping role "${name}"`, 'DropFailed');
    });
  }
}

async function drop(session: Session, name: string, isOurs: (facts: DatabaseFacts) => boolean): Promise<void> {
  const facts = await describeDatabase(session, name);
  if (facts === undefined || !isOurs(facts)) return;
  await dropDatabase(session, name).catch((caught: unknown) => {
    throw statementFault(caught, `dropping database "${name}"`, 'DropFailed');
  });
}

const ATTEMPTS = 3;

/**
 * FORCE ends sessions that are left; those of a program of ours that was just killed may take a moment to notice. It asks
 * for the right to end each of them, also where one is autovacuum, which counts as nobody's, and without it ends none
 * (`TerminateOtherDBBackends` in PostgreSQL's procarray.c). Without FORCE the server itself ends autovacuum, and waits 5 s
 * for others.
 */
async function dropDatabase(session: Session, name: string): Promise<void> {
  const statement = `DROP DATABASE IF EXISTS ${identifier(name)}`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await session.query(`${statement} WITH (FORCE)`);
      return;
    } catch (caught) {
      if (sqlStateOf(caught) !== '42501') throw caught;
    }
    try {
      await session.query(statement);
      return;
    } catch (caught) {
      // 55006: somebody is still there.
      if (sqlStateOf(caught) !== '55006' || attempt === ATTEMPTS) throw caught;
    }
  }
}
