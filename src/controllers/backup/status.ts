import type { BackupStatus } from '../../api/backup.ts';
import { type ConditionReport, instant, summarise } from '../../api/conditions.ts';
import type { BackupResult } from '../../api/task.ts';
import { formatBytes } from '../../lib/bytes.ts';
import type { Failure } from '../../lib/errors.ts';
import { storeAccessOf } from '../access.ts';
import { newest, type RunFacts } from '../run-facts.ts';
import { said } from '../waiting.ts';
import type { BackupFacts } from './facts.ts';
import { folderOf } from './folder.ts';
import { originOf } from './origin.ts';

export function pendingStatus(facts: BackupFacts, failure: Failure, now: Date): BackupStatus {
  return compose(facts, now, { phase: 'Pending', failure }, [
    { type: 'Complete', status: 'False', ...said(failure) },
    { type: 'Reconciling', status: 'True', ...said(failure) },
  ]);
}

export function runningStatus(
  facts: BackupFacts,
  run: Pick<RunFacts, 'attempt' | 'name'> & Partial<RunFacts>,
  now: Date,
): BackupStatus {
  const report = run.trouble === undefined ? { reason: 'Running', message: atWork(facts, run) } : said(run.trouble);
  const own: BackupStatus = {
    phase: 'Running',
    attempts: run.attempt,
    jobName: run.name,
    startTime: facts.backup.status?.startTime ?? instant(now),
    ...(run.trouble === undefined ? {} : { failure: run.trouble }),
  };
  return compose(facts, now, own, [
    { type: 'Complete', status: 'False', ...report },
    { type: 'Reconciling', status: 'True', ...report },
  ]);
}

/** A second attempt says what became of the one before: else its reason would be gone for as long as it is at work. */
function atWork({ runs }: BackupFacts, { name, attempt }: Pick<RunFacts, 'attempt' | 'name'>): string {
  const before = runs.findLast((run) => run.attempt < attempt)?.report;
  const story =
    before === undefined || before.ok
      ? ''
      : `; the last attempt ended with ${before.failure.reason}: ${before.failure.message}`;
  return `Job ${name} is at work${story}`;
}

export function completeStatus(facts: BackupFacts, result: BackupResult, now: Date): BackupStatus {
  // An earlier attempt's manifest does not tell the plain size; it is in the encrypted contents only.
  const dumped = result.sizes.source === 0 ? '' : `${formatBytes(result.sizes.source)} dumped, `;
  const message = `${dumped}${formatBytes(result.sizes.stored)} stored${notInIt(result)}`;
  const own: BackupStatus = {
    phase: 'Complete',
    completionTime: instant(now),
    ...(result.dataTime === undefined ? {} : { dataTime: instant(new Date(result.dataTime)) }),
    location: locationOf(facts),
    manifestDigest: result.manifestDigest,
    sizes: { ...result.sizes, human: formatBytes(result.sizes.stored) },
    keyFingerprints: [...result.keyFingerprints],
    server: result.server,
    tool: result.tool,
    ...(result.skippedDatabases === undefined ? {} : { skippedDatabases: [...result.skippedDatabases] }),
    ...recordedApplication(facts),
    verification: { level: 'ReadBack', time: instant(new Date(result.verifiedTime)) },
  };
  return compose(facts, now, own, [
    { type: 'Complete', status: 'True', reason: 'BackedUp', message },
    {
      type: 'Verified',
      status: 'True',
      reason: 'ReadBack',
      message: 'every byte was read back, decrypted, compared and parsed to the end',
    },
  ]);
}

/** What the runner was told to write into the manifest. */
function recordedApplication({ runs }: BackupFacts): Pick<BackupStatus, 'application'> {
  const task = newest(runs, 'backup')?.task;
  return task?.command === 'backup' && task.application !== undefined ? { application: task.application } : {};
}

/** Somebody who reads no more than the condition must not take the archive for the whole server. */
function notInIt({ skippedDatabases = [] }: BackupResult): string {
  if (skippedDatabases.length === 0) return '';
  return `; not in it: ${skippedDatabases.map(({ name, reason }) => `${name} (${reason})`).join(', ')}`;
}

export function failedStatus(facts: BackupFacts, failure: Failure, now: Date): BackupStatus {
  return compose(facts, now, { phase: 'Failed', completionTime: instant(now), failure }, [
    { type: 'Complete', status: 'False', ...said(failure) },
    { type: 'Failed', status: 'True', ...said(failure) },
    { type: 'Stalled', status: 'True', ...said(failure) },
  ]);
}

/** Facts of the past stay; the failure is of this moment only. */
function compose(facts: BackupFacts, now: Date, own: BackupStatus, reports: readonly ConditionReport[]): BackupStatus {
  const { status, metadata } = facts.backup;
  const { attempts, jobName, startTime } = status ?? {};
  const generation = metadata.generation ?? 0;
  return {
    origin: originOf(facts.backup),
    ...(attempts === undefined ? {} : { attempts }),
    ...(jobName === undefined ? {} : { jobName }),
    ...(startTime === undefined ? {} : { startTime }),
    ...own,
    observedGeneration: generation,
    conditions: summarise(status?.conditions, reports, generation, now),
  };
}

function locationOf({ backup, store, settings }: BackupFacts): string {
  if (store === undefined) return '';
  const { bucket, prefix } = storeAccessOf(store);
  return `s3://${bucket}/${folderOf(backup, prefix, settings.clusterName)}`;
}
