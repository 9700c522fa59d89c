/** The sessions that runners have on a server. */
import { waitFor } from '../cluster/wait.ts';
import type { PostgresWorld } from './postgres-world.ts';

export const RUNNER_SESSIONS = `SELECT FROM pg_stat_activity WHERE application_name LIKE 'holdfast restore%'`;

/** What a runner asked for last before it was killed, such as to end the sessions of a database, the server still does. */
export async function sessionsGone({ sql }: PostgresWorld): Promise<void> {
  await waitFor(async () => (await sql('postgres', RUNNER_SESSIONS)).length === 0, {
    timeoutMs: 10_000,
    everyMs: 10,
    otherwise: () => 'the sessions of a runner that was killed are still there',
  });
}
