/** What there is to restore from: looked up, for the choice in source.ts. */
import type { Backup } from '../../api/backup.ts';
import type { BackupKey } from '../../api/backup-key.ts';
import type { KubeObject } from '../../api/kubernetes.ts';
import { LABELS } from '../../api/names.ts';
import type { Restore } from '../../api/restore.ts';
import { KIND } from '../../kube/kinds.ts';
import type { World } from '../controller.ts';
import { type RunFacts, runFacts } from '../run-facts.ts';
import { isTerminal, type RestoreFacts } from './facts.ts';
import { chooseIdentity } from './identity.ts';
import { databaseOf } from './jobs.ts';
import { chooseSource, type SourceChoice } from './source.ts';
import { chooseUndo } from './undo.ts';

type SourceFacts = Pick<RestoreFacts, 'source' | 'backup' | 'store' | 'target' | 'identity'>;

export async function observeSource(world: World, restore: Restore, runs: readonly RunFacts[]): Promise<SourceFacts> {
  const { stores, settings } = world;
  const { namespace } = restore.metadata;
  const { from } = restore.spec;
  if (from.previousOf !== undefined) return observeUndo(world, restore, runs);
  const name = restore.status?.resolved?.backup ?? from.backupRef?.name;
  const named = name === undefined ? undefined : stores.backups.get(namespace, name);
  const source = chooseSource(restore, {
    backup: named,
    backups: isToBeChosen(restore) ? await world.cluster.list<Backup>(KIND.backup, { namespace }) : [],
    prunes: isTerminal(restore) ? [] : prunes(world, namespace),
    store: from.archive === undefined ? undefined : stores.backupStores.get(namespace, from.archive.storeRef.name),
    runs,
    cluster: settings.clusterName,
  });
  const backup = named !== undefined && isPinned(source, named) ? named : undefined;
  return {
    source,
    backup,
    store: source.choice === 'pinned' ? stores.backupStores.get(namespace, source.source.store) : undefined,
    target: databaseOf({ restore, runs, source }),
    identity: chooseIdentity(
      restore,
      keyOf(world, namespace, backup),
      isGone(restore, backup) ? toldOf(runs) : undefined,
    ),
  };
}

/** No archive, so no store and no key. */
function observeUndo({ stores }: World, restore: Restore, runs: readonly RunFacts[]): SourceFacts {
  const name = restore.status?.undoes?.restore ?? restore.spec.from.previousOf?.restoreRef.name ?? '';
  const earlier = stores.restores.get(restore.metadata.namespace, name);
  const uid = earlier?.metadata.uid ?? '';
  const earlierRuns = runFacts(stores.jobs.ownedBy(uid), stores.pods.ownedBy(uid));
  const target = earlier === undefined ? undefined : targetOfEarlier(stores, earlier, earlierRuns);
  const source = chooseUndo(restore, { restore: earlier, runs: earlierRuns, target });
  return {
    source,
    backup: undefined,
    store: undefined,
    // Until it is pinned, from then on the Restore itself remembers it.
    target: databaseOf({ restore, runs, source }) ?? (source.choice === 'made' ? target : undefined),
    identity: NO_IDENTITY,
  };
}

const NO_IDENTITY = { wait: { reason: 'NoIdentity', message: 'nothing is opened with a key' } };

/** One of before the status told it had its Backup tell. */
function targetOfEarlier(stores: World['stores'], earlier: Restore, runs: readonly RunFacts[]) {
  const { namespace } = earlier.metadata;
  const name = earlier.status?.resolved?.backup ?? earlier.spec.from.backupRef?.name;
  const source = chooseSource(earlier, {
    backup: name === undefined ? undefined : stores.backups.get(namespace, name),
    ...{ backups: [], prunes: [], store: undefined, runs, cluster: '' },
  });
  return databaseOf({ restore: earlier, runs, source });
}

/** The local copies may be behind, and what is chosen from them once stands for ever: the API server itself is asked. */
function isToBeChosen(restore: Restore): boolean {
  const { spec, status, metadata } = restore;
  if (spec.from.latest === undefined || status?.resolved !== undefined || status?.outcome !== undefined) return false;
  return metadata.deletionTimestamp === undefined && !isTerminal(restore);
}

function isPinned(source: SourceChoice, backup: Backup): boolean {
  return source.choice === 'pinned' && source.source.backupUID === backup.metadata.uid;
}

/** Runs of retention in the namespace, of whichever schedule. */
function prunes({ stores }: World, namespace: string): RunFacts[] {
  const objects = [...stores.jobs.list(namespace), ...stores.pods.list(namespace)].filter(isOfPrune);
  const owners = new Set(objects.flatMap(({ metadata }) => metadata.labels?.[LABELS.owner] ?? []));
  return [...owners].flatMap((uid) => runFacts(stores.jobs.ownedBy(uid), stores.pods.ownedBy(uid)));
}

/** Whether a Job or a pod is one of retention. */
export function isOfPrune({ metadata }: KubeObject): boolean {
  return metadata.labels?.[LABELS.command] === 'prune';
}

/** That of the Backup, while it is there; else the default one of the namespace. */
function keyOf({ stores }: World, namespace: string, backup: Backup | undefined): BackupKey | undefined {
  const keyRef = backup?.spec.keyRef;
  if (keyRef !== undefined) return stores.backupKeys.get(namespace, keyRef.name);
  const defaults = stores.backupKeys.list(namespace).filter(({ spec }) => spec.default === true);
  return defaults.length === 1 ? defaults[0] : undefined;
}

/** Whether there was a Backup, whose key nobody can tell any more. */
function isGone({ status }: Restore, backup: Backup | undefined): boolean {
  return backup === undefined && status?.resolved?.backup !== undefined;
}

function toldOf(runs: readonly RunFacts[]): { readonly secret: string; readonly key: string } | undefined {
  return runs.flatMap(({ task }) => (task !== undefined && 'identity' in task ? (task.identity ?? []) : []))[0];
}
