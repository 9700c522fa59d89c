/** The Backups of a schedule: their names say what they were made for, so making one twice is making it once. Pure. */
import type { NewBackup } from '../../api/backup.ts';
import type { BackupSchedule } from '../../api/backup-schedule.ts';
import { API_VERSION } from '../../api/meta.ts';
import { ANNOTATIONS, LABELS, MANAGED_BY, scheduleLabel, shortHash, shortUid } from '../../api/names.ts';

/** Leaves room for what Jobs and pods add to the name of their Backup. */
const NAME_LENGTH = 45;

/** What a run is for. */
export type Occasion =
  | { readonly occasion: 'slot'; readonly slot: Date }
  | { readonly occasion: 'trigger'; readonly trigger: string }
  | { readonly occasion: 'creation' };

/** The schedule's name, as the beginning of others. */
export function childHead(name: string): string {
  return name.length <= NAME_LENGTH ? name : `${name.slice(0, NAME_LENGTH - 7)}-${shortHash([name], 6)}`;
}

export function childName({ metadata }: BackupSchedule, occasion: Occasion): string {
  const head = childHead(metadata.name);
  switch (occasion.occasion) {
    case 'slot':
      return `${head}-${occasion.slot.toISOString().slice(0, 16).replace(/[-T:]/g, '')}`;
    case 'trigger':
      return `${head}-${shortHash([occasion.trigger], 8)}`;
    case 'creation':
      return `${head}-${shortUid(metadata.uid)}`;
    default:
      return occasion satisfies never;
  }
}

/**
 * Neither labels nor annotations of the schedule: a GitOps tool would take the Backup for one of its own and prune it.
 * No owner reference: deleting a schedule keeps its backups.
 */
export function childOf(schedule: BackupSchedule, occasion: Occasion): NewBackup {
  const { metadata, spec } = schedule;
  return {
    apiVersion: API_VERSION,
    kind: 'Backup',
    metadata: {
      name: childName(schedule, occasion),
      namespace: metadata.namespace,
      labels: {
        ...spec.template.metadata?.labels,
        [LABELS.managedBy]: MANAGED_BY,
        [LABELS.schedule]: scheduleLabel(metadata.name),
      },
      annotations: { ...spec.template.metadata?.annotations, [ANNOTATIONS.schedule]: metadata.name },
    },
    spec: spec.template.spec,
  };
}
