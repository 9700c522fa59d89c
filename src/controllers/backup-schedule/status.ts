import type { BackupSchedule, BackupScheduleStatus } from '../../api/backup-schedule.ts';
import { type ConditionReport, instant, summarise } from '../../api/conditions.ts';
import type { Failure } from '../../lib/errors.ts';
import { inZone } from '../../policy/schedule.ts';
import { said } from '../waiting.ts';
import { childName } from './children.ts';
import type { DrillStep } from './drill.ts';
import { type Due, zoneOf } from './due.ts';
import { type BackupScheduleFacts, isActive, isComplete, isFailed } from './facts.ts';

export interface Findings {
  readonly due: Due;
  readonly next: Date | undefined;
  /** What keeps retention, or the next run, from being carried out. */
  readonly failure: Failure | undefined;
  readonly drill: DrillStep;
}

export function scheduleStatus(facts: BackupScheduleFacts, findings: Findings, now: Date): BackupScheduleStatus {
  const { due, next } = findings;
  const { schedule } = facts;
  if (next === undefined && schedule.spec.suspend !== true) {
    return stalledStatus(facts, neverComes(schedule), findings, now);
  }
  const failure = findings.failure ?? lastBackupFailed(facts) ?? findings.drill.failure;
  const outlook =
    next === undefined || schedule.spec.suspend === true
      ? SUSPENDED
      : { reason: 'Scheduled', message: `next run at ${inZone(next, zoneOf(schedule))}` };
  const trouble = failure === undefined ? undefined : said(failure);
  const report =
    trouble === undefined
      ? outlook
      : { reason: trouble.reason, message: `${outlook.message}; but: ${trouble.message}` };
  // The schedule itself does what it is there for.
  const reports: ConditionReport[] = [{ type: 'Ready', status: 'True', ...report }, ...findings.drill.reports];
  return { ...compose(facts, due, next, failure, reports, now), ...findings.drill.status };
}

/** Of the Backups that are over the newest tells whether the database is being backed up. */
function lastBackupFailed({ children }: BackupScheduleFacts): Failure | undefined {
  const last = children.findLast((backup) => !isActive(backup));
  if (last === undefined || !isFailed(last)) return undefined;
  const { name } = last.metadata;
  const { reason, message, hint } = last.status?.failure ?? { reason: 'Failed', message: 'it does not say why' };
  return {
    reason: 'LastBackupFailed',
    message: `Backup ${name} failed: ${reason}: ${message}`,
    hint: hint ?? `kubectl describe backup.holdfast.dev ${name}`,
  };
}

const SUSPENDED = { reason: 'Suspended', message: 'no new runs while spec.suspend is true' } as const;

/** A new trigger still makes a run; but most likely somebody believes in a backup that will never be made. */
function neverComes({ spec }: BackupSchedule): Failure {
  return {
    reason: 'NeverComes',
    message: `spec.schedule: "${spec.schedule}" is a date that never comes.`,
    hint: 'Use one that does, such as "H 2 * * *" for nightly. A new spec.trigger still makes a run.',
  };
}

/** Drills go on: they have a cron of their own, and backups to restore. */
export function stalledStatus(
  facts: BackupScheduleFacts,
  why: Failure,
  { due, drill, failure = why }: Pick<Findings, 'due' | 'drill' | 'failure'>,
  now: Date,
): BackupScheduleStatus {
  const reports: ConditionReport[] = [
    { type: 'Ready', status: 'False', ...said(why) },
    { type: 'Stalled', status: 'True', ...said(why) },
    ...drill.reports,
  ];
  return { ...compose(facts, due, undefined, failure, reports, now), ...drill.status };
}

function compose(
  facts: BackupScheduleFacts,
  due: Due,
  next: Date | undefined,
  failure: Failure | undefined,
  reports: ConditionReport[],
  now: Date,
): BackupScheduleStatus {
  const { schedule, children } = facts;
  const { status, metadata } = schedule;
  const complete = children.filter(isComplete);
  const made = due.occasion === undefined ? undefined : childName(schedule, due.occasion);
  const fields = {
    lastScheduleTime: due.slot === undefined ? status?.lastScheduleTime : instant(due.slot),
    lastSuccessfulTime:
      complete
        .map((backup) => backup.status?.completionTime ?? '')
        .sort()
        .at(-1) || status?.lastSuccessfulTime,
    nextScheduleTime: next === undefined || schedule.spec.suspend === true ? undefined : inZone(next, zoneOf(schedule)),
    active: made ?? children.findLast(isActive)?.metadata.name,
    lastBackup: made ?? children.at(-1)?.metadata.name ?? status?.lastBackup,
    lastTrigger: due.trigger ?? status?.lastTrigger,
    failure,
  };
  return {
    ...definedOnly(fields),
    consecutiveFailures: children.slice(children.findLastIndex(isComplete) + 1).filter(isFailed).length,
    keptBackups: complete.length,
    observedGeneration: metadata.generation ?? 0,
    conditions: summarise(status?.conditions, reports, metadata.generation ?? 0, now),
  };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Absent and undefined differ in an apply: only what is known is written. */
function definedOnly<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
