import type { Session } from './connection.ts';
import { isUnfinishedScratch } from './facts.ts';
import { statementFault } from './faults.ts';
import { type DatabaseFacts, describeDatabase } from './properties.ts';
import { identifier } from './sql.ts';

/** Drops the scratch database of a restore, if there is one. One that is not ours is never touched. */
export async function dropScratch(session: Session, name: string, restoreUid: string): Promise<void> {
  await drop(session, name, (facts) => facts.notes.scratchOf === restoreUid || isUnfinishedScratch(facts));
}

/** Drops the database that a restore replaced, if it is still there. One that is not ours is never touched. */
export async function dropPrevious(session: Session, name: string, restoreUid: string): Promise<void> {
  await drop(session, name, (facts) => facts.notes.previousOf === restoreUid);
}

async function drop(session: Session, name: string, isOurs: (facts: DatabaseFacts) => boolean): Promise<void> {
  const facts = await describeDatabase(session, name);
  if (facts === undefined || !isOurs(facts)) return;
  // FORCE ends sessions that are left; those of a program of ours that was just killed may take a moment to notice.
  await session.query(`DROP DATABASE IF EXISTS ${identifier(name)} WITH (FORCE)`).catch((caught: unknown) => {
    throw statementFault(caught, `dropping database "${name}"`, 'DropFailed');
  });
}
