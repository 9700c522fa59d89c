/**
 * Which archive a restore brings back. Chosen once and pinned in `status.resolved`, with its digest, before anything else
 * happens; from then on the pin alone says it, whatever becomes of the Backups meanwhile. Pure.
 */
import { folderAt } from '../../api/archive-path.ts';
import type { Backup } from '../../api/backup.ts';
import type { BackupStore } from '../../api/backup-store.ts';
import { instant, isTrue } from '../../api/conditions.ts';
import { isForced } from '../../api/force.ts';
import { ANNOTATIONS } from '../../api/names.ts';
import type { PostgresqlSource } from '../../api/postgresql.ts';
import type { Restore, RestoreStatus } from '../../api/restore.ts';
import type { CatalogResult, ServerAccess } from '../../api/task.ts';
import type { UndoneRestore } from '../../api/undone.ts';
import type { Failure } from '../../lib/errors.ts';
import { isEarly, isNewer, isOf, isRestorable, newestAt, timeOf } from '../../policy/latest.ts';
import { targetAccessOf } from '../access.ts';
import { isOver, newest, type RunFacts, resultOf } from '../run-facts.ts';
import { prunesAt, type Removal, removalOf, uidsBeingRemoved } from './removal.ts';

/** What a restore goes by, once its archive is pinned. */
export interface Source {
  /** Name of the BackupStore. */
  readonly store: string;
  /** The archive's folder within the bucket, with a trailing slash. */
  readonly path: string;
  /** sha256:… of the only manifest that is trusted. */
  readonly digest: string;
  /** Names that the manifest must bear. */
  readonly cluster: string;
  readonly namespace: string;
  /** What the target is completed from. Absent where no Backup tells it (any more). */
  readonly postgresql?: PostgresqlSource;
  /** Absent where the archive was named by its path. */
  readonly backupUID?: string;
  /** Another Backup has the name of the one that was chosen. */
  readonly replaced?: true;
}

export type Pin = NonNullable<RestoreStatus['resolved']>;

/** What is pinned of a restore that is undone. */
export type Undoes = NonNullable<RestoreStatus['undoes']>;

export type SourceChoice =
  | { readonly choice: 'pinned'; readonly source: Source; readonly removal?: Removal }
  /** Pinned, and no archive: what a restore replaced. `expiring`: it is being dropped. */
  | { readonly choice: 'kept'; readonly undone: UndoneRestore; readonly expiring?: Failure }
  /** To be pinned now. `postgresql`: what the target is completed from, which is noted with the pin. */
  | { readonly choice: 'made'; readonly pin: Pin | Undoes; readonly postgresql?: PostgresqlSource }
  /** A Job has to read the manifest first. */
  | { readonly choice: 'ask'; readonly store: BackupStore; readonly folder: string; readonly last?: RunFacts }
  | { readonly choice: 'asking'; readonly run: RunFacts }
  /** It may still come. */
  | { readonly choice: 'wait'; readonly failure: Failure }
  /** There is nothing, and waiting would bring nothing. */
  | { readonly choice: 'none'; readonly failure: Failure };

/** What the choice is made from. */
export interface Candidates {
  /** Of `backupRef`, or of the pin: the Backup of that name. */
  readonly backup: Backup | undefined;
  /** With `latest` and before it is pinned: every Backup of the namespace, as the API server has them. */
  readonly backups: readonly Backup[];
  /** Runs of retention in the namespace. */
  readonly prunes: readonly RunFacts[];
  /** With `archive`: its BackupStore. */
  readonly store: BackupStore | undefined;
  /** Of this restore. */
  readonly runs: readonly RunFacts[];
  /** Name of this cluster. */
  readonly cluster: string;
}

export function chooseSource(restore: Restore, candidates: Candidates): SourceChoice {
  const { resolved } = restore.status ?? {};
  if (resolved !== undefined) return pinned(restore, resolved, candidates);
  const { backupRef, latest, archive } = restore.spec.from;
  if (latest !== undefined) return theLatest(latest, candidates);
  if (archive !== undefined) return theArchive(restore, archive, candidates);
  return theNamed(backupRef?.name ?? '', candidates);
}

/** Where the target is completed from the source it is; undefined where nothing tells the server. */
export function targetOf(restore: Restore, source: Pick<Source, 'postgresql'>): ServerAccess | undefined {
  const { target, from } = restore.spec;
  const base = source.postgresql ?? ofArchive(restore);
  return base === undefined ? undefined : targetAccessOf(base, target?.postgresql, from.database);
}

/** An archive tells neither server nor Secret: the Restore must. */
function ofArchive({ spec, status }: Restore): PostgresqlSource | undefined {
  const { host, credentials, tls, authentication } = spec.target?.postgresql ?? {};
  if (spec.from.archive === undefined || host === undefined || credentials === undefined) return undefined;
  const database = status?.resolved?.database;
  return {
    host,
    credentials,
    ...(tls === undefined ? {} : { tls }),
    ...(authentication === undefined ? {} : { authentication }),
    ...(database === undefined ? { scope: 'Instance' } : { database }),
  };
}

/**
 * The Backup may be gone, or another one of the same name: what the pin says is enough to read the archive, and what is
 * noted beside it to reach the target.
 */
function pinned(restore: Restore, pin: Pin, candidates: Candidates): SourceChoice {
  const { backup, cluster } = candidates;
  const own = backup?.metadata.uid === pin.backupUID ? backup : undefined;
  // A pin of before stores were pinned has none.
  const store = pin.store ?? backup?.spec.storeRef.name;
  if (store === undefined) return wait(backupNotFound(pin.backup ?? ''));
  const foreign = isForced('Foreign', restore.spec.force);
  const source: Source = {
    store,
    path: pin.path,
    digest: pin.digest,
    cluster: (foreign ? pin.cluster : undefined) ?? cluster,
    namespace: (foreign ? pin.namespace : undefined) ?? restore.metadata.namespace,
    ...(own === undefined ? {} : { postgresql: own.spec.source.postgresql }),
    ...(pin.backupUID === undefined ? {} : { backupUID: pin.backupUID }),
    ...(own === undefined && backup !== undefined ? { replaced: true } : {}),
  };
  const { archive } = restore.spec.from;
  const prunes = archive === undefined ? candidates.prunes : prunesAt(candidates.store, restore, candidates.prunes);
  const removal = removalOf(pin.path, prunes);
  return { choice: 'pinned', source, ...(removal === undefined ? {} : { removal }) };
}

function theNamed(name: string, { backup, prunes }: Candidates): SourceChoice {
  if (backup === undefined) return wait(backupNotFound(name));
  if (isLeaving(backup)) return wait({ ...backupNotFound(name), message: `Backup "${name}" is being deleted.` });
  if (isTrue(backup.status?.conditions, 'Failed')) {
    return none({
      reason: 'BackupFailed',
      message: `Backup "${name}" failed, so there is nothing to restore.`,
      hint: 'Name another one: kubectl get backups.holdfast.dev.',
    });
  }
  if (!isRestorable(backup)) return wait(notComplete(backup));
  const found = removalOf(pathOf(backup), prunes);
  if (found !== undefined) return found.removal === 'done' ? none(found.failure) : wait(found.failure);
  return made(backup);
}

type Latest = NonNullable<Restore['spec']['from']['latest']>;

/**
 * A Backup that is still to come is not waited for; one that is at work is, where nothing else is there yet: a schedule
 * and a restore from it may well be made in one go.
 */
function theLatest(latest: Latest, { backups, prunes }: Candidates): SourceChoice {
  const removing = uidsBeingRemoved(prunes);
  const { name } = latest.scheduleRef;
  const children = backups.filter((backup) => isOf(backup, name) && !isLeaving(backup));
  const kept = children.filter(({ metadata }) => !removing.has(metadata.uid));
  const found = newestAt(kept, latest.before);
  if (found !== undefined) return made(found);
  const atWork = kept.find((backup) => isAtWork(backup) && isEarly(backup.metadata.creationTimestamp, latest.before));
  if (atWork !== undefined) return wait(notComplete(atWork));
  return none(nothing(latest, children, backups, removing));
}

function isLeaving({ metadata }: Backup): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function isAtWork({ status }: Backup): boolean {
  return !isTrue(status?.conditions, 'Complete') && !isTrue(status?.conditions, 'Failed');
}

function made(backup: Backup): SourceChoice {
  return { choice: 'made', pin: pinOf(backup), postgresql: backup.spec.source.postgresql };
}

function pinOf(backup: Backup): Pin {
  const { metadata, status, spec } = backup;
  return {
    backup: metadata.name,
    backupUID: metadata.uid,
    store: spec.storeRef.name,
    path: pathOf(backup),
    digest: status?.manifestDigest ?? '',
    time: timeOf(backup),
  };
}

/** The folder within the bucket. */
export function pathOf({ status }: Backup): string {
  return (status?.location ?? '').replace(/^s3:\/\/[^/]+\//, '');
}

/** So many are named where a person has to choose. */
const NAMED = 5;

function nothing(
  { scheduleRef, before }: Latest,
  children: readonly Backup[],
  backups: readonly Backup[],
  removing: ReadonlySet<string>,
): Failure {
  const of = before === undefined ? '' : ` of ${before} or before`;
  const there =
    children.length > 0
      ? `It has ${shown(children.toSorted((a, b) => (isNewer(a, b) ? -1 : 1)).map((each) => told(each, removing)))}.`
      : othersOf(backups);
  return {
    reason: 'NothingToRestore',
    message: `Schedule "${scheduleRef.name}" has no Complete backup${of} in this namespace. ${there}`,
    hint:
      children.length > 0
        ? 'Name one with from.backupRef, or a later instant in before, in a new Restore; an archive without a Backup with from.archive.'
        : 'Name a schedule that has backups, or an archive by its path with from.archive, in a new Restore.',
  };
}

function othersOf(backups: readonly Backup[]): string {
  const schedules = [...new Set(backups.flatMap(({ metadata }) => metadata.annotations?.[ANNOTATIONS.schedule] ?? []))];
  if (schedules.length === 0) return 'No Backup of any schedule is here.';
  return `Schedules with backups here are ${shown(schedules.sort().map((name) => `"${name}"`))}.`;
}

function told(backup: Backup, removing: ReadonlySet<string>): string {
  const { name, uid } = backup.metadata;
  if (isTrue(backup.status?.conditions, 'Failed')) return `${name} (failed)`;
  if (isAtWork(backup)) return `${name} (not Complete)`;
  return `${name} (of ${timeOf(backup)}${removing.has(uid) ? ', whose archive retention is removing' : ''})`;
}

function shown(items: readonly string[]): string {
  const more = items.length - NAMED;
  return `${items.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

type ByPath = NonNullable<Restore['spec']['from']['archive']>;

function theArchive(restore: Restore, { storeRef, path }: ByPath, candidates: Candidates): SourceChoice {
  const { store, runs } = candidates;
  if (store === undefined) {
    return wait({
      reason: 'StoreNotFound',
      message: `There is no BackupStore "${storeRef.name}" in this namespace, where the archive is.`,
      hint: 'Make it with the bucket and the prefix of the archive.',
    });
  }
  const { bucket, prefix = '' } = store.spec.s3;
  const place = folderAt(path, { bucket, prefix });
  if ('problem' in place) {
    return none({
      reason: 'ArchivePathInvalid',
      message: `The path "${path}" cannot be read: ${place.problem}.`,
      hint: 'Take it as status.location of a Backup has it, or from a list of the bucket, in a new Restore.',
    });
  }
  const run = newest(runs, 'catalog');
  const asked = run?.task?.command === 'catalog' && run.task.folder === place.folder ? run : undefined;
  if (asked === undefined || asked.state === 'gone') return { choice: 'ask', store, folder: place.folder };
  if (!isOver(asked)) return { choice: 'asking', run: asked };
  const result = resultOf(asked, 'catalog');
  if (result !== undefined) return judged(restore, result, storeRef.name, place.folder, candidates.cluster);
  const { report } = asked;
  if (report !== undefined && !report.ok && !report.retry) return none(report.failure);
  return { choice: 'ask', store, folder: place.folder, last: asked };
}

/** Whose it is must fit, or have been taken on by name. */
function judged(restore: Restore, found: CatalogResult, store: string, path: string, here: string): SourceChoice {
  const { cluster, namespace, database } = found;
  const own = restore.metadata.namespace;
  if ((cluster !== here || namespace !== own) && !isForced('Foreign', restore.spec.force)) {
    return none({
      reason: 'Foreign',
      message: `The archive is of Backup "${found.backup.name}" of namespace ${namespace} in the cluster ${cluster}, and this is ${own} in ${here}.`,
      hint: 'Should it be restored here all the same, say so: force: [Foreign] in a new Restore.',
    });
  }
  return {
    choice: 'made',
    pin: {
      store,
      path,
      digest: found.manifestDigest,
      time: instant(new Date(found.dataTime)),
      cluster,
      namespace,
      ...(database === undefined ? {} : { database }),
    },
  };
}

/** Whether the name of the target can only be learned from the archive itself. */
export function asksForDatabase({ spec }: Restore): boolean {
  return spec.from.database === undefined && spec.target?.postgresql?.database === undefined;
}

function backupNotFound(name: string): Failure {
  return {
    reason: 'BackupNotFound',
    message: `There is no Backup "${name}" in this namespace.`,
    hint: 'kubectl get backups.holdfast.dev lists them.',
  };
}

function notComplete({ metadata }: Backup): Failure {
  return {
    reason: 'BackupNotComplete',
    message: `Backup "${metadata.name}" is not Complete yet: only a verified archive is restored.`,
    hint: `Wait for it, or make a new Restore from an older one: kubectl get backups.holdfast.dev -n ${metadata.namespace}`,
  };
}

function wait(failure: Failure): SourceChoice {
  return { choice: 'wait', failure };
}

function none(failure: Failure): SourceChoice {
  return { choice: 'none', failure };
}
