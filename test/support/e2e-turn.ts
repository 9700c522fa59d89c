/**
 * Whose turn it is: files of end-to-end tests run two at a time, but for those that change what all of them share.
 *
 * The turn is an advisory lock on the shared PostgreSQL, shared or alone: who asks for it alone waits for those that have it and
 * goes before those that ask later, and a worker that dies gives its turn back. Files of the tier `release` take it too, and have nobody to share it with.
 */
import { afterAll, expect } from '@jest/globals';
import { isAlone } from './e2e-alone.ts';
import { openSession, type Session } from './e2e-world.ts';

const TURN = 20_261_124;

let session: Session | undefined;

/**
 * At import: tests that run side by side begin before any beforeAll has ended. Who has it alone gives it back by an afterAll of its
 * own, after what it has to put in order: hooks run as they were written.
 */
export async function takeTurn(): Promise<void> {
  if (session !== undefined) return;
  const alone = isAlone(expect.getState().testPath ?? '');
  session = await openSession('postgres');
  await session.rows(`SELECT pg_advisory_lock${alone ? '' : '_shared'}(${TURN})`);
  if (!alone) afterAll(endTurn);
}

export async function endTurn(): Promise<void> {
  await session?.[Symbol.asyncDispose]();
  session = undefined;
}
