import type { Backup } from '../../api/backup.ts';
import { ANNOTATIONS } from '../../api/names.ts';
import { runFolder } from '../../archive/layout.ts';

/** Where the archive of a backup goes within the bucket. Pure, and the same at every look. */
export function folderOf({ metadata }: Backup, prefix: string, cluster: string): string {
  const { namespace, uid, creationTimestamp } = metadata;
  const schedule = scheduleOf(metadata.annotations);
  return runFolder({
    prefix,
    cluster,
    namespace,
    uid,
    time: new Date(creationTimestamp),
    ...(schedule === undefined ? {} : { schedule }),
  });
}

/** Anybody may write an annotation: only what could be the name of a schedule becomes part of a path. */
function scheduleOf(annotations: Readonly<Record<string, string>> | undefined): string | undefined {
  const name = annotations?.[ANNOTATIONS.schedule];
  return name !== undefined && name.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) ? name : undefined;
}
