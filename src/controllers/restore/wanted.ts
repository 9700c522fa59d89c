/** Which Backups a restore that is under way counts on: retention leaves them alone. Pure. */
import { folderAt } from '../../api/archive-path.ts';
import type { Backup } from '../../api/backup.ts';
import type { Restore } from '../../api/restore.ts';
import { isOf, newestAt } from '../../policy/latest.ts';
import { pathOf } from './source.ts';

/** Their names. `backups` are those of the namespace; of one that is not chosen yet, what it would choose now. */
export function wantedBackups(restores: readonly Restore[], backups: readonly Backup[]): ReadonlySet<string> {
  return new Set(restores.flatMap((restore) => wantedBy(restore, backups)));
}

function wantedBy({ spec, status }: Restore, backups: readonly Backup[]): readonly string[] {
  const { backupRef, latest, archive } = spec.from;
  const pin = status?.resolved;
  if (pin !== undefined) return backups.filter((backup) => pathOf(backup) === pin.path).map(nameOf);
  if (backupRef !== undefined) return [backupRef.name];
  if (archive !== undefined) return backups.filter((backup) => isAt(backup, archive.path)).map(nameOf);
  if (latest === undefined) return [];
  const children = backups.filter((backup) => isOf(backup, latest.scheduleRef.name));
  const found = newestAt(children, latest.before);
  return found === undefined ? [] : [nameOf(found)];
}

function nameOf({ metadata }: Backup): string {
  return metadata.name;
}

function isAt(backup: Backup, path: string): boolean {
  const bucket = /^s3:\/\/([^/]+)\//.exec(backup.status?.location ?? '')?.[1];
  if (bucket === undefined) return false;
  const place = folderAt(path, { bucket, prefix: '' });
  return 'folder' in place && place.folder === pathOf(backup);
}
