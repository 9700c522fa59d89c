import { safetyBackupName } from '../../api/names.ts';
import type { Restore, RestoreStatus } from '../../api/restore.ts';
import { KIND } from '../../kube/kinds.ts';
import type { Controller } from '../controller.ts';
import { observeDatabaseLock, observeOwnLock } from '../observe-leases.ts';
import { observeRuns } from '../observe-runs.ts';
import { decide } from './decide.ts';
import { isTerminal, type RestoreFacts } from './facts.ts';
import { isOfPrune, observeSource } from './observe-source.ts';
import { observeWorkloads } from './observe-workloads.ts';
import { undoConcerns, undoneName } from './undo.ts';

export const restoreController: Controller<Restore, RestoreFacts, RestoreStatus> = {
  kind: KIND.restore,

  async observe(world, restore) {
    const { stores, settings } = world;
    const { namespace } = restore.metadata;
    const runs = await observeRuns(world, restore.metadata, restore.status?.attempts ?? 0, 'plan');
    const source = await observeSource(world, restore, runs);
    const over = isTerminal(restore);
    const observeLock = over ? observeOwnLock : observeDatabaseLock;
    const safetyBackup = stores.backups.get(namespace, safetyBackupName(restore.metadata));
    return {
      restore,
      ...source,
      ...(safetyBackup === undefined ? {} : { safetyBackup }),
      runs,
      lock: source.target === undefined ? undefined : await observeLock(world, source.target),
      workloads: over ? [] : await observeWorkloads(world, restore),
      undoers: over ? stores.restores.list(namespace).filter((each) => undoneName(each) === restore.metadata.name) : [],
      settings,
    };
  },

  decide,

  /** A restore that waits looks again when something of its namespace changes, retention included, or when a lock is freed. */
  concerns(changed, stores) {
    if (changed.kind === 'Restore')
      return undoConcerns(changed as Restore, stores.restores.list(changed.metadata.namespace));
    const kinds = ['Backup', 'BackupStore', 'BackupKey'];
    if (changed.kind !== 'Lease' && !kinds.includes(changed.kind) && !isOfPrune(changed)) return [];
    return stores.restores
      .list()
      .filter((restore) => !isTerminal(restore))
      .filter(({ metadata }) => changed.kind === 'Lease' || metadata.namespace === changed.metadata.namespace)
      .map(({ metadata }) => ({ namespace: metadata.namespace, name: metadata.name }));
  },
};
