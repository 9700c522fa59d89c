import type { BackupScheduleStatus } from '../../api/backup-schedule.ts';
import { type Failure, messageOf } from '../../lib/errors.ts';
import { type Cron, parseCron } from '../../policy/cron.ts';
import { isTimeZone, nextSlot } from '../../policy/schedule.ts';
import type { Action, Decision } from '../action.ts';
import { childOf } from './children.ts';
import { type DrillStep, drillStep } from './drill.ts';
import { type Due, dueRun, zoneOf } from './due.ts';
import { type BackupScheduleFacts, isActive, isFailed } from './facts.ts';
import { pruneStep } from './prune.ts';
import { scheduleStatus, stalledStatus } from './status.ts';

export function decide(facts: BackupScheduleFacts, now: Date): Decision<BackupScheduleStatus> {
  const cron = read(facts);
  if ('reason' in cron) return stalled(facts, cron, now);
  const due = dueRun(facts, cron, now);
  const next = nextSlot(cron, zoneOf(facts.schedule), now);
  const prune = pruneStep(facts, now);
  const drill = drillStep(facts, now);
  const waits = [
    next === undefined ? undefined : next.getTime() - now.getTime(),
    prune.requeueAfter,
    drill.requeueAfter,
  ].filter((wait) => wait !== undefined);
  return {
    actions: [
      ...replaced(facts, due),
      ...run(facts, due),
      ...told(due),
      ...forgotten(facts),
      ...prune.actions,
      ...drill.actions,
    ],
    status: scheduleStatus(facts, { due, next, failure: prune.failure, drill }, now),
    statusOnFailure: (failure) => scheduleStatus(facts, { due: {}, next, failure, drill: undone(facts, drill) }, now),
    ...(waits.length === 0 ? {} : { requeueAfter: Math.min(...waits) }),
  };
}

function stalled(facts: BackupScheduleFacts, why: Failure, now: Date): Decision<BackupScheduleStatus> {
  const drill = drillStep(facts, now);
  const { actions, requeueAfter } = drill;
  return {
    actions,
    status: stalledStatus(facts, why, { due: {}, drill, failure: undefined }, now),
    statusOnFailure: (failure) => stalledStatus(facts, why, { due: {}, drill: undone(facts, drill), failure }, now),
    ...(requeueAfter === undefined ? {} : { requeueAfter }),
  };
}

/** The slot of a drill that could not be made is still to be dealt with. */
function undone({ schedule }: BackupScheduleFacts, drill: DrillStep): DrillStep {
  const { lastDrillScheduleTime: before } = schedule.status ?? {};
  const { lastDrillScheduleTime: _, ...status } = drill.status;
  return { ...drill, status: { ...status, ...(before === undefined ? {} : { lastDrillScheduleTime: before }) } };
}

/** What admission cannot know: whether the text is a schedule, and the name that of a time zone. Never a silent UTC. */
function read({ schedule }: BackupScheduleFacts): Cron | Failure {
  const { metadata, spec } = schedule;
  if (!isTimeZone(zoneOf(schedule))) {
    return {
      reason: 'InvalidTimeZone',
      message: `spec.timeZone: "${spec.timeZone}" is no time zone.`,
      hint: 'Use an IANA name such as Europe/Paris.',
    };
  }
  try {
    return parseCron(spec.schedule, `${metadata.namespace}/${metadata.name}`);
  } catch (caught) {
    return {
      reason: 'InvalidSchedule',
      message: `spec.schedule: ${messageOf(caught)}.`,
      hint: 'Use five fields, such as "H 2 * * *" for nightly.',
    };
  }
}

/** The run at work goes first, with its Job; its runner aborts the upload. */
function replaced({ schedule, children }: BackupScheduleFacts, due: Due): Action[] {
  if (due.occasion === undefined || schedule.spec.concurrencyPolicy !== 'Replace') return [];
  return children.filter(isActive).map(({ metadata }) => ({
    action: 'deleteBackup',
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
  }));
}

function run({ schedule }: BackupScheduleFacts, due: Due): Action[] {
  return due.occasion === undefined ? [] : [{ action: 'createBackup', backup: childOf(schedule, due.occasion) }];
}

function told({ passed }: Due): Action[] {
  return passed === undefined
    ? []
    : [{ action: 'event', type: 'Warning', reason: passed.reason, note: passed.message }];
}

/** Failed Backups have no archive; the oldest beyond the limit go. */
function forgotten({ schedule, children }: BackupScheduleFacts): Action[] {
  const failed = children.filter(isFailed).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const limit = schedule.spec.failedBackupsHistoryLimit ?? 3;
  return failed.slice(0, Math.max(0, failed.length - limit)).map(({ metadata }) => ({
    action: 'deleteBackup',
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
  }));
}
