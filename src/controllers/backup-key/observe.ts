import type { BackupKey, BackupKeyStatus } from '../../api/backup-key.ts';
import { KIND } from '../../kube/kinds.ts';
import type { Controller } from '../controller.ts';
import { type BackupKeyFacts, decide } from './decide.ts';

export const backupKeyController: Controller<BackupKey, BackupKeyFacts, BackupKeyStatus> = {
  kind: KIND.backupKey,

  async observe({ stores }, key) {
    const defaults = stores.backupKeys
      .list(key.metadata.namespace)
      .filter(({ spec }) => spec.default === true)
      .map(({ metadata }) => metadata.name)
      .sort();
    return { key, defaults };
  },

  decide,

  /** Whether a default is contested depends on the other keys of the namespace. */
  concerns(changed, stores) {
    if (changed.kind !== 'BackupKey') return [];
    return stores.backupKeys
      .list(changed.metadata.namespace)
      .filter(({ spec, metadata }) => spec.default === true && metadata.name !== changed.metadata.name)
      .map(({ metadata }) => ({ namespace: metadata.namespace, name: metadata.name }));
  },
};
