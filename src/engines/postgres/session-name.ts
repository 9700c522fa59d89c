import { shortUid } from '../../api/names.ts';
import type { RunIdentity } from '../../api/task.ts';

/** PostgreSQL cuts application_name here. */
const APPLICATION_NAME_BYTES = 63;

/**
 * What the server's administrator, and a second run that finds the database busy, sees of a run:
 * `holdfast restore shop/monday 1a2b3c4d`. The UID stays whole: by it the sessions of one run are told from another's.
 */
export function sessionName(
  work: 'backup' | 'restore' | 'cleanup',
  run: Pick<RunIdentity, 'namespace' | 'name' | 'uid'> | undefined,
): string {
  if (run === undefined) return `holdfast ${work}`;
  const uid = shortUid(run.uid);
  const room = APPLICATION_NAME_BYTES - `holdfast ${work}  ${uid}`.length;
  return `holdfast ${work} ${`${run.namespace}/${run.name}`.slice(0, room)} ${uid}`;
}
