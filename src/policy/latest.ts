/** Which Backup of a schedule is the latest: the operator chooses by it, and the plugin shows what would be chosen. Pure. */
import type { Backup } from '../api/backup.ts';
import { isTrue } from '../api/conditions.ts';
import { LABELS, scheduleLabel } from '../api/names.ts';

/** The one with the newest data that is not of after `before`. */
export function newestAt(backups: readonly Backup[], before: string | undefined): Backup | undefined {
  return backups
    .filter(isRestorable)
    .filter((backup) => isEarly(timeOf(backup), before))
    .reduce<Backup | undefined>((best, each) => (best === undefined || isNewer(each, best) ? each : best), undefined);
}

/** Of the same second the one that was made later; of those any, but always the same. */
export function isNewer(one: Backup, other: Backup): boolean {
  const key = (backup: Backup) => [
    Date.parse(timeOf(backup)),
    Date.parse(backup.metadata.creationTimestamp),
    backup.metadata.name,
  ];
  const [mine, its] = [key(one), key(other)];
  const differs = mine.findIndex((value, index) => value !== its[index]);
  return differs >= 0 && (mine[differs] ?? '') > (its[differs] ?? '');
}

export function isEarly(time: string, before: string | undefined): boolean {
  return before === undefined || Date.parse(time) <= Date.parse(before);
}

/**
 * The instant that the data is of. Of a Backup of before that was written down, only its end is certain not to be earlier
 * than its data: whoever names an instant must never get what came after it.
 */
export function timeOf({ status, metadata }: Backup): string {
  return status?.dataTime ?? status?.completionTime ?? metadata.creationTimestamp;
}

export function isOf({ metadata }: Backup, schedule: string): boolean {
  return metadata.labels?.[LABELS.schedule] === scheduleLabel(schedule);
}

export function isRestorable({ status }: Backup): boolean {
  const { conditions, manifestDigest, location } = status ?? {};
  return isTrue(conditions, 'Complete') && manifestDigest !== undefined && (location ?? '') !== '';
}
