/** Names for what people make, and what is common to what they make. Pure. */
import type { Backup } from '../api/backup.ts';
import { shortHash } from '../api/names.ts';
import type { PostgresqlAddress } from '../api/postgresql.ts';
import { addressOf } from '../api/postgresql.ts';
import type { Restore } from '../api/restore.ts';

/** Leaves room for what Jobs and pods add. */
const HEAD = 45;

/** `nightly-20261124-090312`: new each second, in order, and says when. */
export function freshName(head: string, now: Date): string {
  const stamp = now.toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
  const short = head.length <= HEAD ? head : `${head.slice(0, HEAD - 7)}-${shortHash([head], 6)}`;
  return `${short.replace(/[-.]+$/, '')}-${stamp}`;
}

/** A name that was made of another one by us, without what was added: a restore of a restore's name does not grow. */
export function withoutStamp(name: string): string {
  return name.replace(/-(\d{8}-\d{6}|\d{12})$/, '');
}

export function databaseOf(backup: Backup): PostgresqlAddress {
  return addressOf(backup.spec.source.postgresql);
}

/** What a table says of a database where the backup is of all of them. */
export const EVERY_DATABASE = '(all)';

/** `orders on pg.shop.svc:5432`. */
export function shownDatabase({ database, host, port }: PostgresqlAddress): string {
  return `${database ?? 'every database'} on ${host}:${port}`;
}

/** What a restore brings back, for a table: the Backup that was chosen, or what it is to be chosen from. */
export function shownSource({ spec, status }: Restore): string {
  const { backupRef, latest, archive, previousOf } = spec.from;
  const backup = status?.resolved?.backup ?? backupRef?.name;
  if (backup !== undefined) return backup;
  if (previousOf !== undefined) return `undo of ${previousOf.restoreRef.name}`;
  if (latest !== undefined) return `latest of ${latest.scheduleRef.name}`;
  const folders = archive?.path.split('/').filter((part) => part !== '' && part !== 'manifest.json');
  return folders?.at(-1) ?? '';
}
