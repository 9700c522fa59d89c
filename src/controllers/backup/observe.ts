import type { Backup, BackupStatus } from '../../api/backup.ts';
import { LABELS } from '../../api/names.ts';
import { addressOf } from '../../api/postgresql.ts';
import { isDrill, type Restore } from '../../api/restore.ts';
import type { Place } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kinds.ts';
import type { Controller, World } from '../controller.ts';
import { observeDatabaseLock, observeOwnLock } from '../observe-leases.ts';
import { observeNodes } from '../observe-nodes.ts';
import { observeRuns } from '../observe-runs.ts';
import { runFacts } from '../run-facts.ts';
import { decide } from './decide.ts';
import { lastDrillOf } from './drilled.ts';
import { type BackupFacts, isTerminal } from './facts.ts';
import { chooseKey } from './key.ts';
import { serves } from './origin.ts';
import { cameBefore, compete } from './turn.ts';

export const backupController: Controller<Backup, BackupFacts, BackupStatus> = {
  kind: KIND.backup,

  async observe(world, backup) {
    const over = isTerminal(backup);
    const observeLock = over ? observeOwnLock : observeDatabaseLock;
    const drill = over ? lastDrillOf(backup, world.stores.restores.list(backup.metadata.namespace)) : undefined;
    return {
      ...localFacts(world, backup),
      ...(drill === undefined ? {} : { drill }),
      earlier: over ? [] : earlierThan(world, backup),
      nodes: over ? [] : await observeNodes(world, backup),
      runs: await observeRuns(world, backup.metadata, backup.status?.attempts ?? 0, 'backup'),
      lock: await observeLock(world, addressOf(backup.spec.source.postgresql)),
    };
  },

  decide,

  /**
   * A backup that waits looks again when a store or a key of its namespace changes, when a lock is freed, or when the
   * Restore that it was made for has taken note of it; one that is over when a drill of it has ended.
   */
  concerns(changed, stores) {
    if (changed.kind === 'Restore')
      return [...safetyBackupOf(changed as Restore), ...drilledBackup(changed as Restore)];
    const waiting = stores.backups.list().filter((backup) => !isTerminal(backup));
    const concerned =
      changed.kind === 'Lease'
        ? waiting
        : changed.kind === 'BackupStore' || changed.kind === 'BackupKey'
          ? waiting.filter(({ metadata }) => metadata.namespace === changed.metadata.namespace)
          : [];
    return concerned.map(({ metadata }) => ({ namespace: metadata.namespace, name: metadata.name }));
  },
};

/** What the local copies know of a backup. */
function localFacts({ stores, settings }: World, backup: Backup): BackupFacts {
  const { namespace, uid, labels } = backup.metadata;
  const restore = stores.restores.byUid(labels?.[LABELS.owner] ?? '');
  return {
    backup,
    store: stores.backupStores.get(namespace, backup.spec.storeRef.name),
    key: chooseKey(backup.spec.keyRef, stores.backupKeys.list(namespace)),
    runs: runFacts(stores.jobs.ownedBy(uid), stores.pods.ownedBy(uid)),
    lock: undefined,
    earlier: [],
    nodes: [],
    ...(serves(backup, restore) ? { served: restore } : {}),
    settings,
  };
}

function safetyBackupOf({ metadata, status }: Restore): readonly Place[] {
  const name = status?.safetyBackup?.name;
  return name === undefined ? [] : [{ namespace: metadata.namespace, name }];
}

/** Whose archive a drill is of. */
function drilledBackup(restore: Restore): readonly Place[] {
  const name = restore.status?.resolved?.backup;
  return name === undefined || !isDrill(restore) ? [] : [{ namespace: restore.metadata.namespace, name }];
}

function earlierThan(world: World, backup: Backup): readonly BackupFacts[] {
  return world.stores.backups
    .list()
    .filter((other) => !isTerminal(other) && cameBefore(other, backup) && compete(other, backup))
    .sort((a, b) => (cameBefore(a, b) ? -1 : 1))
    .map((other) => localFacts(world, other));
}
