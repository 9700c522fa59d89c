import type { BackupSchedule, BackupScheduleStatus } from '../../api/backup-schedule.ts';
import { isTrue } from '../../api/conditions.ts';
import { ANNOTATIONS, LABELS, scheduleLabel } from '../../api/names.ts';
import { isDrill, type Restore } from '../../api/restore.ts';
import { KIND } from '../../kube/kinds.ts';
import type { Controller } from '../controller.ts';
import { wantedBackups } from '../restore/wanted.ts';
import { runFacts } from '../run-facts.ts';
import { decide } from './decide.ts';
import { type BackupScheduleFacts, timeOf } from './facts.ts';

export const backupScheduleController: Controller<BackupSchedule, BackupScheduleFacts, BackupScheduleStatus> = {
  kind: KIND.backupSchedule,

  async observe({ stores, settings }, schedule) {
    const { namespace, name, uid } = schedule.metadata;
    const children = stores.backups
      .list(namespace)
      .filter(({ metadata }) => metadata.labels?.[LABELS.schedule] === scheduleLabel(name))
      .toSorted((a, b) => timeOf(a).getTime() - timeOf(b).getTime());
    return {
      schedule,
      children,
      drills: stores.restores
        .list(namespace)
        // A copy with another target bears the label too, and is nobody's to remove.
        .filter((restore) => restore.metadata.labels?.[LABELS.owner] === uid && isDrill(restore))
        .toSorted((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp)),
      wanted: wantedBackups(stores.restores.list(namespace).filter(isUnderWay), stores.backups.list(namespace)),
      stores: new Map(stores.backupStores.list(namespace).map((store) => [store.metadata.name, store])),
      runs: runFacts(stores.jobs.ownedBy(uid), stores.pods.ownedBy(uid)),
      settings,
    };
  },

  decide,

  /** Its Backups and its drills are its business: the end of one may let the next begin, and retention follow. */
  concerns(changed) {
    const isChild = changed.kind === 'Backup' || changed.kind === 'Restore';
    const schedule = isChild ? changed.metadata.annotations?.[ANNOTATIONS.schedule] : undefined;
    return schedule === undefined ? [] : [{ namespace: changed.metadata.namespace ?? '', name: schedule }];
  },
};

function isUnderWay({ status }: Restore): boolean {
  return !isTrue(status?.conditions, 'Complete') && !isTrue(status?.conditions, 'Failed');
}
