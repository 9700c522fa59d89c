/** What a restore knows of its source, as the operator would find it. */
import type { Backup } from '../../src/api/backup.ts';
import type { BackupStore } from '../../src/api/backup-store.ts';
import type { Restore } from '../../src/api/restore.ts';
import type { RestoreFacts } from '../../src/controllers/restore/facts.ts';
import { databaseOf } from '../../src/controllers/restore/jobs.ts';
import { type Candidates, chooseSource } from '../../src/controllers/restore/source.ts';
import { aCompleteBackup, aStore, SETTINGS } from './builders.ts';

export function theSource(
  restore: Restore,
  more: Partial<Omit<Candidates, 'store'>> & { readonly store?: BackupStore | undefined } = {},
): Pick<RestoreFacts, 'source' | 'backup' | 'store' | 'target'> {
  const backup: Backup | undefined = 'backup' in more ? more.backup : aCompleteBackup();
  const store = 'store' in more ? more.store : aStore();
  const { runs = [] } = more;
  const candidates = {
    backups: [],
    prunes: [],
    cluster: SETTINGS.clusterName,
    ...more,
    backup,
    store,
    runs,
  };
  const source = chooseSource(restore, candidates);
  const own = source.choice === 'pinned' && source.source.backupUID === backup?.metadata.uid ? backup : undefined;
  return { source, backup: own, store, target: databaseOf({ restore, runs, source }) };
}
