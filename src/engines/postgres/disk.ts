import { KEPT_PATTERN } from './marker.ts';

/** In the words of the system, of which a server with messages in another language says its own. */
export function isDiskFull(said: string): boolean {
  return /No space left on device|Disk quota exceeded/.test(said);
}

/** A restore needs room for all of it beside what is live; what others left may be what is in the way. */
export const DISK_FULL = `make room on the disk of the database server: what is restored takes as much beside what is live. What earlier restores kept may be what can go: SELECT datname, pg_size_pretty(pg_database_size(oid)) FROM pg_database WHERE shobj_description(oid, 'pg_database') LIKE '${KEPT_PATTERN}'; then make a new Restore`;
