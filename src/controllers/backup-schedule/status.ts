import type { BackupScheduleStatus } from '../../api/backup-schedule.ts';
import { type ConditionReport, instant, summarise } from '../../api/conditions.ts';
import type { Failure } from '../../lib/errors.ts';
import { inZone } from '../../policy/schedule.ts';
import { childName } from './children.ts';
import { type Due, zoneOf } from './due.ts';
import { type BackupScheduleFacts, isActive, isComplete, isFailed } from './facts.ts';

export interface Findings {
  readonly due: Due;
  readonly next: Date | undefined;
  /** What keeps retention, or the next run, from being carried out. */
  readonly failure: Failure | undefined;
}

export function scheduleStatus(
  facts: BackupScheduleFacts,
  { due, next, failure }: Findings,
  now: Date,
): BackupScheduleStatus {
  const { schedule } = facts;
  const ready: ConditionReport =
    schedule.spec.suspend === true
      ? { type: 'Ready', status: 'True', reason: 'Suspended', message: 'no new runs while spec.suspend is true' }
      : {
          type: 'Ready',
          status: 'True',
          reason: 'Scheduled',
          message: next === undefined ? 'the schedule never comes' : `next run at ${inZone(next, zoneOf(schedule))}`,
        };
  return compose(facts, due, next, failure, [ready], now);
}

export function stalledStatus(facts: BackupScheduleFacts, failure: Failure, now: Date): BackupScheduleStatus {
  const said = { reason: failure.reason, message: `${failure.message} ${failure.hint ?? ''}`.trim() };
  return compose(
    facts,
    {},
    undefined,
    failure,
    [
      { type: 'Ready', status: 'False', ...said },
      { type: 'Stalled', status: 'True', ...said },
    ],
    now,
  );
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
