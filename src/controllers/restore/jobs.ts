/** The Jobs of a restore. Pure. */

import type { Backup } from '../../api/backup.ts';
import type { NewJob } from '../../api/kubernetes.ts';
import { previousDatabaseName, scratchDatabaseName, shortHash } from '../../api/names.ts';
import { type PostgresqlAddress, targetAddressOf } from '../../api/postgresql.ts';
import type { Restore } from '../../api/restore.ts';
import type { RestoreBase, RestoreIdentity, ServerAccess } from '../../api/task.ts';
import { parseDuration } from '../../lib/duration.ts';
import { stableJson } from '../../lib/stable-json.ts';
import { runnerJob } from '../../manifests/runner-job.ts';
import { databaseSecretsOf, storeAccessOf, storeNeedsOf, targetAccessOf } from '../access.ts';
import type { RestoreFacts } from './facts.ts';
import type { Needs } from './states.ts';

/** A look at archive and target takes seconds; the rest is the time that an image may need to arrive. */
const PLAN_DEADLINE_SECONDS = 600;

/** Dropping a large database takes a while, for its files. */
const CLEANUP_DEADLINE_SECONDS = 600;

/** The Job lives a little longer than the fence: the runner itself ends in time, and can still say so. */
const BEYOND_FENCE_SECONDS = 30;

/** What names are made from where a whole server is restored: each of its databases gets the name with a number. */
const INSTANCE = 'holdfast';

export function targetOf(restore: Restore, backup: Backup): PostgresqlAddress {
  return targetAddressOf(backup.spec.source.postgresql, restore.spec.target?.postgresql, restore.spec.from.database);
}

function accessOf(restore: Restore, backup: Backup): ServerAccess {
  return targetAccessOf(backup.spec.source.postgresql, restore.spec.target?.postgresql, restore.spec.from.database);
}

export function planJob(facts: RestoreFacts, needs: Needs, attempt: number): NewJob {
  const task = { command: 'plan', ...baseOf(facts, needs) } as const;
  return jobOf(facts, 'plan', attempt, task, needs, PLAN_DEADLINE_SECONDS);
}

export function loadJob(facts: RestoreFacts, needs: Needs, now: Date): NewJob {
  const { spec } = facts.restore;
  const seconds = spec.activeDeadlineSeconds ?? 86_400;
  const task = {
    command: 'restore',
    ...baseOf(facts, needs),
    notAfter: new Date(now.getTime() + seconds * 1000).toISOString(),
    dropPrevious: parseDuration(spec.keepPrevious ?? '24h') === 0,
  } as const;
  return jobOf(facts, 'restore', 1, task, needs, seconds + BEYOND_FENCE_SECONDS);
}

/** Undefined where the target cannot be told any more: the Backup is gone, and with it every Job of this restore. */
export function cleanupJob(facts: RestoreFacts, purpose: 'cleanup' | 'expire', attempt: number): NewJob | undefined {
  const database = databaseOf(facts);
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
    },
    secrets: databaseSecretsOf(database),
    settings: settings.runner,
    activeDeadlineSeconds: CLEANUP_DEADLINE_SECONDS,
  });
}

function jobOf(
  facts: RestoreFacts,
  purpose: 'plan' | 'restore',
  attempt: number,
  task: Parameters<typeof runnerJob>[0]['task'] & RestoreBase,
  needs: Needs,
  activeDeadlineSeconds: number,
): NewJob {
  const store = storeNeedsOf(task.store);
  return runnerJob({
    owner: ownerOf(facts.restore),
    purpose,
    attempt,
    task,
    ...store,
    secrets: { ...store.secrets, ...databaseSecretsOf(task.database), identity: needs.identity.secret },
    settings: facts.settings.runner,
    activeDeadlineSeconds,
  });
}

function baseOf(facts: RestoreFacts, { backup, store, identity }: Needs): RestoreBase {
  const { restore, settings } = facts;
  const { path = '', digest = '' } = restore.status?.resolved ?? {};
  const target = targetOf(restore, backup);
  return {
    run: runOf(facts),
    store: storeAccessOf(store),
    archive: {
      folder: path,
      manifestDigest: digest,
      cluster: settings.clusterName,
      namespace: restore.metadata.namespace,
    },
    database: accessOf(restore, backup),
    ...(restore.spec.from.database === undefined ? {} : { fromDatabase: restore.spec.from.database }),
    identity,
    onConflict: restore.spec.onConflict ?? 'Fail',
    scratchDatabase: scratchDatabaseName(restore.metadata),
    previousDatabase: previousDatabaseName(target.database ?? INSTANCE, restore.metadata),
  };
}

/** From what an earlier Job was told, so that a Backup that has gone meanwhile leaves nothing behind; else from the Backup. */
export function databaseOf({
  runs,
  restore,
  backup,
}: Pick<RestoreFacts, 'runs' | 'restore' | 'backup'>): ServerAccess | undefined {
  for (const { task } of runs) {
    if (task !== undefined && 'database' in task) return task.database;
  }
  if (backup === undefined) return undefined;
  return accessOf(restore, backup);
}

function ownerOf({ metadata }: Restore) {
  return { kind: 'Restore', name: metadata.name, namespace: metadata.namespace, uid: metadata.uid } as const;
}

function runOf({ restore, settings }: RestoreFacts): RestoreIdentity {
  const { namespace, name, uid } = restore.metadata;
  const { keepPrevious: _, ...once } = restore.spec;
  return { cluster: settings.clusterName, namespace, name, uid, specHash: shortHash([stableJson(once)]) };
}
