import type { Backup, BackupStatus } from '../../api/backup.ts';
import { addressOf } from '../../api/postgresql.ts';
import { KIND } from '../../kube/kinds.ts';
import type { Controller, World } from '../controller.ts';
import { observeDatabaseLock, observeOwnLock } from '../observe-leases.ts';
import { observeRuns } from '../observe-runs.ts';
import { runFacts } from '../run-facts.ts';
import { decide } from './decide.ts';
import { type BackupFacts, isTerminal } from './facts.ts';
import { chooseKey } from './key.ts';
import { cameBefore, compete } from './turn.ts';

export const backupController: Controller<Backup, BackupFacts, BackupStatus> = {
  kind: KIND.backup,

  async observe(world, backup) {
    const over = isTerminal(backup);
    const observeLock = over ? observeOwnLock : observeDatabaseLock;
    return {
      ...localFacts(world, backup),
      earlier: over ? [] : earlierThan(world, backup),
      runs: await observeRuns(world, backup.metadata, backup.status?.attempts ?? 0, 'backup'),
      lock: await observeLock(world, addressOf(backup.spec.source.postgresql)),
    };
  },

  decide,

  /** A backup that waits looks again when a store or a key of its namespace changes, or when a lock is freed. */
  concerns(changed, stores) {
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
  const { namespace, uid } = backup.metadata;
  return {
    backup,
    store: stores.backupStores.get(namespace, backup.spec.storeRef.name),
    key: chooseKey(backup.spec.keyRef, stores.backupKeys.list(namespace)),
    runs: runFacts(stores.jobs.ownedBy(uid), stores.pods.ownedBy(uid)),
    lock: undefined,
    earlier: [],
    settings,
  };
}

function earlierThan(world: World, backup: Backup): readonly BackupFacts[] {
  return world.stores.backups
    .list()
    .filter((other) => !isTerminal(other) && cameBefore(other, backup) && compete(other, backup))
    .sort((a, b) => (cameBefore(a, b) ? -1 : 1))
    .map((other) => localFacts(world, other));
}
