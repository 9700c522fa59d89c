/** Time passes, and then somebody makes a mistake. */
import type { Demo } from '../context.ts';
import { count, sql } from '../database.ts';
import { DATABASE } from '../objects.ts';
import { Problem } from '../problem.ts';
import { command, during, proof, tell, title } from '../say.ts';
import { ordersBeyond } from './parts.ts';

const DESTRUCTION = 'DROP TABLE customers; DELETE FROM orders;';

/** Orders that are written meanwhile are the ones that a restore cannot bring back. */
const ORDERS_MEANWHILE = 12;

/** The time, by the database's clock, of which no order comes back. */
export interface LostTime {
  readonly after: string;
  readonly until: string;
}

export async function destroy(demo: Demo): Promise<LostTime> {
  const { kubectl } = demo;
  title('A disaster');
  const after = await databaseTime(demo);
  const last = await count(kubectl, 'SELECT max(id) FROM orders');
  await during('the app writes on for a while', () => ordersBeyond(kubectl, last + ORDERS_MEANWHILE));
  tell('Then somebody is in the wrong terminal:');
  command(`psql -d ${DATABASE} -c '${DESTRUCTION}'`);
  await sql(kubectl, DESTRUCTION);
  const until = await databaseTime(demo);
  const left = await count(kubectl, `SELECT count(*) FROM orders WHERE id <= ${last}`);
  if (left > 0) throw new Problem('The orders are still there.', 'Please report it.');
  proof('The customers are gone, and so is every order of before. The app goes on as if nothing had happened.');
  return { after, until };
}

async function databaseTime(demo: Demo): Promise<string> {
  return (await sql(demo.kubectl, 'SELECT clock_timestamp()')).trim();
}
