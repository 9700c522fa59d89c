import { type Check, type CheckOutcome, TERMINATION_MESSAGE_LIMIT } from '../api/task.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';

/** Asks a restored database. Throws what the database says against the question. */
export type Ask = (sql: string, database?: string) => Promise<string>;

/**
 * Every check, also after one that did not hold: the person mends them all at once. A question that the database does not
 * understand has not been answered as expected; only a lost connection ends the checks.
 */
export async function runChecks(checks: readonly Check[], ask: Ask): Promise<readonly CheckOutcome[]> {
  const outcomes: CheckOutcome[] = [];
  for (const check of checks) outcomes.push(await judge(check, ask));
  return toldShortly(outcomes);
}

async function judge({ name, sql, expect, database }: Check, ask: Ask): Promise<CheckOutcome> {
  try {
    const found = await ask(sql, database);
    return found === expect ? { name, passed: true } : { name, passed: false, found };
  } catch (caught) {
    if (caught instanceof HoldfastError && caught.outlook === 'retry') throw caught;
    return { name, passed: false, found: messageOf(caught) };
  }
}

const FOUND_LENGTH = 200;
const TOLD_BYTES = TERMINATION_MESSAGE_LIMIT - 256;

/** A report has a limit: where the answers do not fit, the last of them are left out, and the names stay. */
function toldShortly(outcomes: readonly CheckOutcome[]): readonly CheckOutcome[] {
  let told = outcomes.map((outcome) =>
    outcome.found === undefined ? outcome : { ...outcome, found: shortened(outcome.found) },
  );
  for (let last = told.length - 1; last >= 0 && Buffer.byteLength(JSON.stringify(told)) > TOLD_BYTES; last -= 1) {
    told = told.map((outcome, index) => (index === last ? { name: outcome.name, passed: outcome.passed } : outcome));
  }
  return told;
}

const shortened = (text: string) => (text.length <= FOUND_LENGTH ? text : `${text.slice(0, FOUND_LENGTH - 1)}…`);
