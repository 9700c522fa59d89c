/** The Jobs of a restore. Pure. */

import type { BackupStore } from '../../api/backup-store.ts';
import type { NewJob } from '../../api/kubernetes.ts';
import { previousDatabaseName, scratchDatabaseName } from '../../api/names.ts';
import { newOwnerOf } from '../../api/postgresql.ts';
import { selectionOf } from '../../api/postgresql-selection.ts';
import { isDrill, type Restore } from '../../api/restore.ts';
import type {
  CheckTask,
  LoadTask,
  PlanResult,
  PlanTask,
  RestoreBase,
  RestoreIdentity,
  ServerAccess,
  SwapTask,
  UndoBase,
  UndoPlanTask,
  UndoSwapTask,
} from '../../api/task.ts';
import { parseDuration } from '../../lib/duration.ts';
import { parseBytes } from '../../lib/quantity.ts';
import { runnerJob } from '../../manifests/runner-job.ts';
import { databaseSecretsOf, storeAccessOf, storeNeedsOf } from '../access.ts';
import { keepsScratch, type RestoreFacts } from './facts.ts';
import { accessOfNoted } from './noted-target.ts';
import { asksForDatabase, targetOf } from './source.ts';
import { specHashOf } from './spec-hash.ts';
import type { ArchiveNeeds, Loaded, LoadedTask, Needs, UndoNeeds } from './state.ts';

/** A look at archive and target takes seconds; the rest is the time that an image may need to arrive. */
const PLAN_DEADLINE_SECONDS = 600;

/** Dropping a large database takes a while, for its files. */
const CLEANUP_DEADLINE_SECONDS = 600;

/** The Job lives a little longer than the fence: the runner itself ends in time, and can still say so. */
const BEYOND_FENCE_SECONDS = 30;

/** What names are made from where a whole server is restored: each of its databases gets the name with a number. */
const INSTANCE = 'holdfast';

/** Reads the manifest of an archive; with an identity also how its database is called, which the manifest does not tell. */
export function catalogJob(
  facts: RestoreFacts,
  { store, folder, attempt }: { readonly store: BackupStore; readonly folder: string; readonly attempt: number },
): NewJob {
  const { restore, identity, settings } = facts;
  const access = storeAccessOf(store);
  const { secrets, ...needs } = storeNeedsOf(access);
  const key = asksForDatabase(restore) && !('wait' in identity) ? identity : undefined;
  return runnerJob({
    owner: ownerOf(restore),
    purpose: 'catalog',
    attempt,
    task: { command: 'catalog', store: access, folder, ...(key === undefined ? {} : { identity: key }) },
    ...needs,
    secrets: { ...secrets, ...(key === undefined ? {} : { identity: key.secret }) },
    settings: settings.runner,
    activeDeadlineSeconds: PLAN_DEADLINE_SECONDS,
  });
}

export function planJob(facts: RestoreFacts, needs: Needs, attempt: number): NewJob {
  if ('undone' in needs) {
    const task = { command: 'plan', ...undoBase(facts, needs) } as const;
    return targetJob(facts, 'plan', attempt, task, PLAN_DEADLINE_SECONDS);
  }
  const task = { command: 'plan', ...baseOf(facts, needs), ...judgedBy(facts) } as const;
  return jobOf(facts, 'plan', attempt, task, needs, PLAN_DEADLINE_SECONDS);
}

/** What the plan alone goes by. The app is still up: later nobody can tell where it ran. */
function judgedBy({ restore, workloads }: RestoreFacts): Pick<PlanTask, 'maxBytes' | 'application' | 'nodes'> {
  const { target, application } = restore.spec;
  const maxBytes = target?.postgresql?.maxBytes;
  return {
    ...(maxBytes === undefined ? {} : { maxBytes: parseBytes(maxBytes) }),
    ...(application === undefined ? {} : { application }),
    nodes: [...new Set(workloads.flatMap(({ found }) => found?.nodes ?? []))].sort(),
  };
}

export function loadJob(
  facts: RestoreFacts,
  needs: ArchiveNeeds,
  { inPlace = false }: Pick<PlanResult, 'inPlace'>,
  now: Date,
): NewJob {
  const seconds = loadSeconds(facts.restore);
  const notAfter = new Date(now.getTime() + seconds * 1000).toISOString();
  const task = { command: 'load', ...baseOf(facts, needs), notAfter, inPlace } as const;
  return jobOf(facts, 'load', 1, task, needs, seconds + BEYOND_FENCE_SECONDS);
}

/** What ended before it began: told the same, its fence as well. */
export function reloadJob(facts: RestoreFacts, task: LoadTask, attempt: number, now: Date): NewJob {
  return jobOf(facts, 'load', attempt, task, task, secondsUntilFence(task, now));
}

/** From what the load was told, so that nothing that changes meanwhile makes them work on something else. */
export function checkJob(facts: RestoreFacts, loaded: LoadedTask, attempt: number, now: Date): NewJob {
  const { checks = [] } = facts.restore.spec;
  return lateJob(facts, 'check', attempt, { ...loaded, command: 'check', checks }, now);
}

export function swapJob(facts: RestoreFacts, loaded: Loaded, attempt: number, now: Date): NewJob {
  const dropPrevious = parseDuration(facts.restore.spec.keepPrevious ?? '24h') === 0;
  if (!('undone' in loaded)) {
    const ends = Math.min(Date.parse(loaded.notAfter), now.getTime() + SWAP_SECONDS * 1000);
    const task = { ...loaded, command: 'swap', notAfter: new Date(ends).toISOString(), dropPrevious } as const;
    return lateJob(facts, 'swap', attempt, task, now);
  }
  const task = { ...('notAfter' in loaded ? loaded : undoTask(facts, loaded, now)), dropPrevious };
  return targetJob(facts, 'swap', attempt, task, secondsUntilFence(task, now));
}

/**
 * What a swap may take is nothing but an image that has to arrive, and a server that is slow. An app at zero waits so long, and
 * a little longer, for a swap whose node is lost.
 */
export const SWAP_SECONDS = 600;

/** What everything until the swap may take. */
export function loadSeconds({ spec }: Restore): number {
  return spec.activeDeadlineSeconds ?? 86_400;
}

/** What the swap of an undo is told; the fence begins with its Job. */
function undoTask(facts: RestoreFacts, needs: UndoNeeds, now: Date): Omit<UndoSwapTask, 'dropPrevious'> {
  const seconds = Math.min(loadSeconds(facts.restore), SWAP_SECONDS);
  const notAfter = new Date(now.getTime() + seconds * 1000).toISOString();
  return { command: 'swap', ...undoBase(facts, needs), notAfter };
}

function undoBase(facts: RestoreFacts, { undone, target }: UndoNeeds): UndoBase {
  const { metadata } = facts.restore;
  return {
    run: runOf(facts),
    database: target,
    undone,
    scratchDatabase: scratchDatabaseName(metadata),
    previousDatabase: previousDatabaseName(target.database ?? INSTANCE, metadata),
  };
}

/** No store and no key: the pod is given the Secrets of the database alone. */
function targetJob(
  { restore, settings }: RestoreFacts,
  purpose: 'plan' | 'check' | 'swap',
  attempt: number,
  task: UndoPlanTask | UndoSwapTask | CheckTask | SwapTask,
  activeDeadlineSeconds: number,
): NewJob {
  return runnerJob({
    owner: ownerOf(restore),
    purpose,
    attempt,
    task,
    secrets: databaseSecretsOf(task.database),
    settings: settings.runner,
    activeDeadlineSeconds,
  });
}

function lateJob(
  facts: RestoreFacts,
  purpose: 'check' | 'swap',
  attempt: number,
  task: CheckTask | SwapTask,
  now: Date,
): NewJob {
  const seconds = secondsUntilFence(task, now);
  return task.noted === undefined
    ? jobOf(facts, purpose, attempt, task, task, seconds)
    : targetJob(facts, purpose, attempt, task, seconds);
}

function secondsUntilFence({ notAfter }: { readonly notAfter: string }, now: Date): number {
  return Math.max(Math.ceil((Date.parse(notAfter) - now.getTime()) / 1000) + BEYOND_FENCE_SECONDS, 1);
}

/** Undefined where the target cannot be told any more: the Backup is gone, and with it every Job of this restore. */
export function cleanupJob(facts: RestoreFacts, purpose: 'cleanup' | 'expire', attempt: number): NewJob | undefined {
  const database = facts.target;
  if (database === undefined) return undefined;
  const { restore, settings } = facts;
  return runnerJob({
    owner: ownerOf(restore),
    purpose,
    attempt,
    task: {
      command: 'cleanup',
      run: runOf(facts),
      database,
      scratchDatabase: scratchDatabaseName(restore.metadata),
      previousDatabase: previousDatabaseName(database.database ?? INSTANCE, restore.metadata),
      dropPrevious: purpose === 'expire',
      keepScratch: keepsScratch(facts.restore),
    },
    secrets: databaseSecretsOf(database),
    settings: settings.runner,
    activeDeadlineSeconds: CLEANUP_DEADLINE_SECONDS,
  });
}

function jobOf(
  facts: RestoreFacts,
  purpose: 'plan' | 'load' | 'check' | 'swap',
  attempt: number,
  task: Parameters<typeof runnerJob>[0]['task'] & RestoreBase,
  { identity }: Pick<ArchiveNeeds, 'identity'>,
  activeDeadlineSeconds: number,
): NewJob {
  const store = storeNeedsOf(task.store);
  return runnerJob({
    owner: ownerOf(facts.restore),
    purpose,
    attempt,
    task,
    ...store,
    secrets: { ...store.secrets, ...databaseSecretsOf(task.database), identity: identity.secret },
    settings: facts.settings.runner,
    activeDeadlineSeconds,
  });
}

function baseOf(facts: RestoreFacts, { source, store, target, identity }: ArchiveNeeds): RestoreBase {
  const { restore } = facts;
  const { path, digest, cluster, namespace } = source;
  const { postgresql } = restore.spec.target ?? {};
  const owner = postgresql === undefined ? undefined : newOwnerOf(postgresql);
  const selection = selectionOf(restore.spec);
  return {
    run: runOf(facts),
    store: storeAccessOf(store),
    archive: { folder: path, manifestDigest: digest, cluster, namespace },
    database: target,
    ...(restore.spec.from.database === undefined ? {} : { fromDatabase: restore.spec.from.database }),
    identity,
    onConflict: restore.spec.onConflict ?? 'Fail',
    ...(selection === undefined ? {} : { selection }),
    ...(restore.spec.roles === undefined ? {} : { rolesOnConflict: restore.spec.roles.onConflict }),
    ...((restore.spec.streams ?? 1) > 1 ? { streams: restore.spec.streams ?? 1 } : {}),
    ...(owner === undefined ? {} : { owner }),
    ...(postgresql?.privileges === undefined ? {} : { privileges: postgresql.privileges }),
    ...(restore.spec.force === undefined ? {} : { force: restore.spec.force }),
    scratchDatabase: scratchDatabaseName(restore.metadata),
    previousDatabase: previousDatabaseName(target.database ?? INSTANCE, restore.metadata),
  };
}

/**
 * From what an earlier Job was told, so that a Backup that has gone meanwhile leaves nothing behind; then from what was noted
 * of it; else from the source.
 */
export function databaseOf({
  runs,
  restore,
  source,
}: Pick<RestoreFacts, 'runs' | 'restore' | 'source'>): ServerAccess | undefined {
  if (isDrill(restore)) return undefined;
  for (const { task } of runs) {
    if (task !== undefined && 'database' in task) return task.database;
  }
  if (restore.status?.target !== undefined) return accessOfNoted(restore.status.target);
  if (source.choice === 'made') return source.postgresql === undefined ? undefined : targetOf(restore, source);
  return source.choice === 'pinned' ? targetOf(restore, source.source) : undefined;
}

function ownerOf({ metadata }: Restore) {
  return { kind: 'Restore', name: metadata.name, namespace: metadata.namespace, uid: metadata.uid } as const;
}

function runOf({ restore, settings }: RestoreFacts): RestoreIdentity {
  const { namespace, name, uid } = restore.metadata;
  return { cluster: settings.clusterName, namespace, name, uid, specHash: specHashOf(restore.spec) };
}
