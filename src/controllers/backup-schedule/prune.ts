/** How archives that retention lets go are removed: a Job deletes the objects, then the Backup goes. Pure. */
import type { Backup } from '../../api/backup.ts';
import type { PruneTask } from '../../api/task.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { Failure } from '../../lib/errors.ts';
import { runnerJob } from '../../manifests/runner-job.ts';
import { type KeptBackup, planRetention, type RetentionPlan } from '../../policy/retention.ts';
import { storeAccessOf, storeNeedsOf } from '../access.ts';
import type { Action } from '../action.ts';
import { isOver, newest, type RunFacts, resultOf } from '../run-facts.ts';
import { type BackupScheduleFacts, isActive, isComplete, timeOf } from './facts.ts';

/** So that the answer, a number for each archive, fits into a termination message, and a mistake is small. */
const ARCHIVES_PER_JOB = 20;

const PRUNE_DEADLINE_SECONDS = 3_600;

/** A store that refuses to delete (a lock, a missing right) is asked again without haste. */
const RETRY_PAUSE = 3_600_000;

interface Candidate extends KeptBackup {
  readonly backup: Backup;
}

export interface PruneStep {
  readonly actions: readonly Action[];
  readonly failure?: Failure;
  readonly requeueAfter?: number;
}

const NOTHING: PruneStep = { actions: [] };

function retentionPlan({ schedule, children, wanted }: BackupScheduleFacts): RetentionPlan<Candidate> {
  const { keepLast, keepWithin } = schedule.spec.retention ?? {};
  const policy = {
    ...(keepLast === undefined ? {} : { keepLast }),
    ...(keepWithin === undefined ? {} : { keepWithin: parseDuration(keepWithin) }),
  };
  const candidates = children.map(
    (backup): Candidate => ({
      backup,
      name: backup.metadata.name,
      time: timeOf(backup),
      verified: isComplete(backup) && backup.status?.verification !== undefined,
      inUse: wanted.has(backup.metadata.name),
    }),
  );
  return planRetention(policy, candidates);
}

export function pruneStep(facts: BackupScheduleFacts, now: Date): PruneStep {
  const run = newest(facts.runs, 'prune');
  if (run !== undefined && !isOver(run)) return NOTHING;
  const removed = removedBy(facts, run);
  if (removed.length > 0) return { actions: removed };
  const remove = due(facts);
  if (remove.length === 0) return NOTHING;
  const failure = failureOf(run);
  const due_ = run?.ended === undefined ? 0 : run.ended.getTime() + RETRY_PAUSE;
  if (failure !== undefined && now.getTime() < due_)
    return { actions: [], failure, requeueAfter: due_ - now.getTime() };
  return { actions: startPrune(facts, remove, (run?.attempt ?? 0) + 1), ...(failure === undefined ? {} : { failure }) };
}

/** Retention waits until the newest run has ended well: a schedule that is failing, or at work, evicts nothing. */
function due(facts: BackupScheduleFacts): readonly Candidate[] {
  const last = facts.children.at(-1);
  if (last === undefined || !isComplete(last) || facts.children.some(isActive)) return [];
  return retentionPlan(facts).remove.filter(({ backup }) => backup.metadata.deletionTimestamp === undefined);
}

/** Backups whose archive the run reported as gone. */
function removedBy({ children }: BackupScheduleFacts, run: RunFacts | undefined): Action[] {
  const result = resultOf(run, 'prune');
  if (result === undefined || run?.task?.command !== 'prune') return [];
  const { archives } = run.task;
  return result.removed.flatMap((index): Action[] => {
    const uid = archives[index]?.backupUid;
    const backup = children.find(({ metadata }) => metadata.uid === uid && metadata.deletionTimestamp === undefined);
    if (backup === undefined) return [];
    const { namespace, name } = backup.metadata;
    return [{ action: 'deleteBackup', namespace, name, uid: backup.metadata.uid }];
  });
}

function failureOf(run: RunFacts | undefined): Failure | undefined {
  if (run === undefined || run.state === 'gone') return undefined;
  const result = resultOf(run, 'prune');
  if (result !== undefined) return result.failure;
  if (run.report !== undefined && !run.report.ok) return run.report.failure;
  return run.trouble ?? { reason: 'RunnerLost', message: 'The prune ended without a report.' };
}

function startPrune(facts: BackupScheduleFacts, remove: readonly Candidate[], attempt: number): Action[] {
  const { schedule, settings, stores, runs } = facts;
  const { name, namespace, uid } = schedule.metadata;
  const oldest = remove.toSorted((a, b) => a.time.getTime() - b.time.getTime());
  const storeName = oldest[0]?.backup.spec.storeRef.name ?? '';
  const store = stores.get(storeName);
  if (store === undefined) return [];
  const access = storeAccessOf(store);
  const task: PruneTask = {
    command: 'prune',
    store: access,
    cluster: settings.clusterName,
    namespace,
    archives: oldest
      .filter(({ backup }) => backup.spec.storeRef.name === storeName)
      .slice(0, ARCHIVES_PER_JOB)
      .map(({ backup }) => ({
        folder: (backup.status?.location ?? '').replace(/^s3:\/\/[^/]+\//, ''),
        manifestDigest: backup.status?.manifestDigest ?? '',
        backupUid: backup.metadata.uid,
      })),
  };
  const job = runnerJob({
    owner: { kind: 'BackupSchedule', name, namespace, uid },
    purpose: 'prune',
    attempt,
    task,
    ...storeNeedsOf(access),
    settings: settings.runner,
    activeDeadlineSeconds: PRUNE_DEADLINE_SECONDS,
  });
  const older = runs.flatMap((run): Action[] =>
    run.job === undefined ? [] : [{ action: 'deleteJob', namespace, name: run.name, uid: run.job.uid }],
  );
  return [{ action: 'createJob', job }, ...older];
}
