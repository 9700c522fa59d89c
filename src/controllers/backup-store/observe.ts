import type { BackupStore, BackupStoreStatus } from '../../api/backup-store.ts';
import { ANNOTATIONS } from '../../api/names.ts';
import { KIND } from '../../kube/kinds.ts';
import type { Controller } from '../controller.ts';
import { runFacts } from '../run-facts.ts';
import { type BackupStoreFacts, decide } from './decide.ts';

export const backupStoreController: Controller<BackupStore, BackupStoreFacts, BackupStoreStatus> = {
  kind: KIND.backupStore,

  async observe({ stores, settings }, store) {
    const jobs = stores.jobs.ownedBy(store.metadata.uid);
    const probed = jobs.map(({ metadata }): [string, string] => [
      metadata.name,
      metadata.annotations?.[ANNOTATIONS.specHash] ?? '',
    ]);
    return { store, runs: runFacts(jobs, stores.pods.ownedBy(store.metadata.uid)), probed: new Map(probed), settings };
  },

  decide,
};
