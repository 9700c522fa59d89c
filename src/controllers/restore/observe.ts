import type { Backup } from '../../api/backup.ts';
import type { Pod } from '../../api/kubernetes.ts';
import { scaleLeaseName } from '../../api/names.ts';
import type { Restore, RestoreStatus, Workload } from '../../api/restore.ts';
import { KIND, WORKLOAD_KINDS } from '../../kube/kinds.ts';
import type { Controller, World } from '../controller.ts';
import { observeDatabaseLock, observeLease, observeOwnLock } from '../observe-leases.ts';
import { observeRuns } from '../observe-runs.ts';
import { decide } from './decide.ts';
import { isTerminal, type RestoreFacts, type WorkloadFacts } from './facts.ts';
import { chooseIdentity } from './identity.ts';
import { databaseOf } from './jobs.ts';

export const restoreController: Controller<Restore, RestoreFacts, RestoreStatus> = {
  kind: KIND.restore,

  async observe(world, restore) {
    const { stores, settings } = world;
    const { namespace } = restore.metadata;
    const backup = stores.backups.get(namespace, restore.spec.from.backupRef.name);
    const runs = await observeRuns(world, restore.metadata, restore.status?.attempts ?? 0, 'plan');
    const database = databaseOf({ restore, backup, runs });
    const over = isTerminal(restore);
    const observeLock = over ? observeOwnLock : observeDatabaseLock;
    return {
      restore,
      backup,
      store: backup === undefined ? undefined : stores.backupStores.get(namespace, backup.spec.storeRef.name),
      identity: chooseIdentity(restore, backup === undefined ? undefined : keyOf(world, backup)),
      runs,
      lock: database === undefined ? undefined : await observeLock(world, database),
      workloads: over ? [] : await observeWorkloads(world, restore),
      settings,
    };
  },

  decide,

  /** A restore that waits looks again when something of its namespace changes, or when a lock is freed. */
  concerns(changed, stores) {
    const kinds = ['Backup', 'BackupStore', 'BackupKey'];
    if (changed.kind !== 'Lease' && !kinds.includes(changed.kind)) return [];
    return stores.restores
      .list()
      .filter((restore) => !isTerminal(restore))
      .filter(({ metadata }) => changed.kind === 'Lease' || metadata.namespace === changed.metadata.namespace)
      .map(({ metadata }) => ({ namespace: metadata.namespace, name: metadata.name }));
  },
};

function keyOf({ stores }: World, backup: Backup) {
  const { namespace } = backup.metadata;
  if (backup.spec.keyRef !== undefined) return stores.backupKeys.get(namespace, backup.spec.keyRef.name);
  const defaults = stores.backupKeys.list(namespace).filter(({ spec }) => spec.default === true);
  return defaults.length === 1 ? defaults[0] : undefined;
}

async function observeWorkloads(world: World, restore: Restore): Promise<WorkloadFacts[]> {
  const { namespace } = restore.metadata;
  // In the order of their Leases' names, so that two restores of the same workloads never hold one each and wait for the other.
  const workloads = (restore.spec.scaleDown?.workloads ?? []).toSorted((a, b) =>
    scaleLeaseName(a) < scaleLeaseName(b) ? -1 : 1,
  );
  return Promise.all(workloads.map((workload) => observeWorkload(world, namespace, workload)));
}

async function observeWorkload(world: World, namespace: string, workload: Workload): Promise<WorkloadFacts> {
  const { cluster } = world;
  const lease = await observeLease(world, namespace, scaleLeaseName(workload));
  const scale = await cluster.getScale(WORKLOAD_KINDS[workload.kind], { namespace, name: workload.name });
  const base = { workload, ...(lease === undefined ? {} : { lease }) };
  if (scale === undefined) return base;
  const labelSelector = scale.status.selector ?? '';
  const pods = labelSelector === '' ? [] : await cluster.list<Pod>(KIND.pod, { namespace, labelSelector });
  return {
    ...base,
    found: {
      uid: scale.metadata.uid,
      resourceVersion: scale.metadata.resourceVersion,
      replicas: scale.spec.replicas ?? 0,
      pods: pods
        .filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
        .map(({ metadata }) => metadata.name),
    },
  };
}
