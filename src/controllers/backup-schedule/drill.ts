/** The drills of a schedule: on a cron of their own, its newest backup is restored into a server that is thrown away. Pure. */
import type { Backup } from '../../api/backup.ts';
import type { BackupSchedule, BackupScheduleStatus } from '../../api/backup-schedule.ts';
import { type ConditionReport, instant, isTrue } from '../../api/conditions.ts';
import { API_VERSION } from '../../api/meta.ts';
import { ANNOTATIONS, LABELS, MANAGED_BY, scheduleLabel } from '../../api/names.ts';
import type { NewRestore, Restore } from '../../api/restore.ts';
import type { Failure } from '../../lib/errors.ts';
import { messageOf } from '../../lib/errors.ts';
import { type Cron, parseCron } from '../../policy/cron.ts';
import { inZone, isTimeZone, lastSlot, nextSlot } from '../../policy/schedule.ts';
import type { Action } from '../action.ts';
import { uidsBeingRemoved } from '../restore/removal.ts';
import { said } from '../waiting.ts';
import { childHead } from './children.ts';
import { zoneOf } from './due.ts';
import { type BackupScheduleFacts, isComplete } from './facts.ts';

export interface DrillStep {
  readonly actions: readonly Action[];
  readonly status: Pick<BackupScheduleStatus, 'lastDrill' | 'lastDrillScheduleTime' | 'nextDrillTime'>;
  readonly reports: readonly ConditionReport[];
  /** What keeps drills from being made, or what became of the last one. */
  readonly failure?: Failure;
  readonly requeueAfter?: number;
}

/** Drills that are over and stay to be looked at. They hold nothing: no database, no archive. */
const HISTORY = 3;

const NONE: DrillStep = { actions: [], status: {}, reports: [] };

type Drill = NonNullable<BackupSchedule['spec']['drill']>;

export function drillStep(facts: BackupScheduleFacts, now: Date): DrillStep {
  const { drill } = facts.schedule.spec;
  if (drill === undefined) return { ...NONE, actions: forgotten(facts, 0) };
  const told = lastDrill(facts);
  const cron = read(facts.schedule, drill);
  if ('reason' in cron) {
    const { lastDrillScheduleTime: dealt } = facts.schedule.status ?? {};
    const status = { ...told.status, ...(dealt === undefined ? {} : { lastDrillScheduleTime: dealt }) };
    return { actions: [], status, reports: [drilled('False', cron)], failure: cron };
  }
  const next = nextSlot(cron, drillZone(facts.schedule, drill), now);
  const due = dueDrill(facts, drill, cron, now);
  const suspended = facts.schedule.spec.suspend === true || next === undefined;
  const failure = due.failure ?? told.failure;
  return {
    actions: [...due.actions, ...forgotten(facts, HISTORY)],
    status: {
      ...told.status,
      lastDrillScheduleTime: instant(due.until),
      ...(suspended ? {} : { nextDrillTime: inZone(next, drillZone(facts.schedule, drill)) }),
    },
    reports: due.failure === undefined ? told.reports : [drilled('False', due.failure)],
    ...(failure === undefined ? {} : { failure }),
    ...(next === undefined ? {} : { requeueAfter: next.getTime() - now.getTime() }),
  };
}

function drillZone(schedule: BackupSchedule, { timeZone }: Drill): string {
  return timeZone ?? zoneOf(schedule);
}

/** A cron that cannot be read keeps drills from being made, and backups not. */
function read(schedule: BackupSchedule, drill: Drill): Cron | Failure {
  const { namespace, name } = schedule.metadata;
  if (!isTimeZone(drillZone(schedule, drill))) {
    return {
      reason: 'InvalidTimeZone',
      message: `${drill.timeZone === undefined ? 'spec' : 'spec.drill'}.timeZone: "${drillZone(schedule, drill)}" is no time zone.`,
      hint: 'Use an IANA name such as Europe/Paris.',
    };
  }
  try {
    // Another minute than that of its backups, so that not everything of a schedule happens at once.
    return parseCron(drill.schedule, `${namespace}/${name}/drill`);
  } catch (caught) {
    return {
      reason: 'InvalidSchedule',
      message: `spec.drill.schedule: ${messageOf(caught)}.`,
      hint: 'Use five fields, such as "H 6 * * 0" for every Sunday.',
    };
  }
}

interface DueDrill {
  readonly actions: readonly Action[];
  /** Slots up to this instant are dealt with. */
  readonly until: Date;
  readonly failure?: Failure;
}

/**
 * Of several slots that were missed only the last one is made up for. One that comes while a drill is at work is passed over,
 * and one that finds no backup waits for the first.
 * A crash after the Restore was made and before the status: it is found by its name, and not made again.
 */
function dueDrill(facts: BackupScheduleFacts, drill: Drill, cron: Cron, now: Date): DueDrill {
  const { schedule, drills } = facts;
  const { lastDrillScheduleTime } = schedule.status ?? {};
  // Slots before drills were asked for are nobody's.
  if (lastDrillScheduleTime === undefined) return { actions: [], until: now };
  const since = new Date(lastDrillScheduleTime);
  if (schedule.spec.suspend === true) return { actions: [], until: since };
  const slot = lastSlot(cron, drillZone(schedule, drill), since, now);
  if (slot === undefined) return { actions: [], until: since };
  if (drills.some(({ metadata }) => metadata.name === nameOf(schedule, slot))) return { actions: [], until: slot };
  const busy = drills.filter((restore) => !isOver(restore));
  if (busy.length > 0) return { actions: [skipped(slot, busy)], until: slot };
  const backup = newestBackup(facts);
  if (backup === undefined) return { actions: [], until: since, failure: NOTHING };
  return { actions: [{ action: 'createRestore', restore: drillOf(schedule, drill, slot, backup) }], until: slot };
}

const NOTHING: Failure = {
  reason: 'NothingToDrill',
  message: 'A drill is due, and the schedule has no Complete backup.',
  hint: 'See why there is none: kubectl get backups.holdfast.dev. The drill begins with the first one.',
};

function skipped(slot: Date, busy: readonly Restore[]): Action {
  const names = busy.map(({ metadata }) => metadata.name).join(', ');
  const note = `The drill of ${slot.toISOString()} was skipped: ${names} is still at work.`;
  return { action: 'event', type: 'Warning', reason: 'SkippedDrill', note };
}

/** Not one whose archive retention is removing at this moment. */
function newestBackup({ children, runs }: BackupScheduleFacts): Backup | undefined {
  const removing = uidsBeingRemoved(runs.filter(({ purpose }) => purpose === 'prune'));
  return children.findLast(
    (backup) =>
      isComplete(backup) && backup.metadata.deletionTimestamp === undefined && !removing.has(backup.metadata.uid),
  );
}

function nameOf({ metadata }: BackupSchedule, slot: Date): string {
  return `${childHead(metadata.name)}-drill-${slot.toISOString().slice(0, 16).replace(/[-T:]/g, '')}`;
}

/** Pinned by name, so that a later backup does not change what is meant. It goes with the schedule: nothing of it is to be kept. */
function drillOf(schedule: BackupSchedule, drill: Drill, slot: Date, backup: Backup): NewRestore {
  const { name, namespace, uid } = schedule.metadata;
  const { ephemeral, identity, checks } = drill;
  return {
    apiVersion: API_VERSION,
    kind: 'Restore',
    metadata: {
      name: nameOf(schedule, slot),
      namespace,
      labels: {
        [LABELS.managedBy]: MANAGED_BY,
        [LABELS.schedule]: scheduleLabel(name),
        [LABELS.owner]: uid,
      },
      annotations: { [ANNOTATIONS.schedule]: name },
      ownerReferences: [
        { apiVersion: API_VERSION, kind: 'BackupSchedule', name, uid, controller: true, blockOwnerDeletion: false },
      ],
    },
    spec: {
      from: { backupRef: { name: backup.metadata.name } },
      target: { ephemeral: ephemeral ?? {} },
      ...(identity === undefined ? {} : { identity }),
      ...(checks === undefined ? {} : { checks }),
    },
  };
}

function isOver({ status }: Restore): boolean {
  return isTrue(status?.conditions, 'Complete') || isTrue(status?.conditions, 'Failed');
}

/** What the last drill came to. Its Restore may be gone: then what was said of it stays. */
function lastDrill({ schedule, drills }: BackupScheduleFacts): Pick<DrillStep, 'status' | 'reports' | 'failure'> {
  const last = drills.findLast(isOver);
  if (last === undefined) return saidBefore(schedule);
  const { resolved, completionTime = '', drill, failure, outcome } = last.status ?? {};
  const backup = resolved?.backup ?? last.spec.from.backupRef?.name ?? '';
  const base = { time: completionTime, restore: last.metadata.name, backup };
  if (outcome?.result === 'Drilled') {
    const counted =
      drill === undefined ? '' : `, ${drill.rows} rows in ${drill.tables} tables within ${drill.duration}`;
    return {
      status: {
        lastDrill: { ...base, result: 'Restored', ...(drill === undefined ? {} : { duration: drill.duration }) },
      },
      reports: [
        { type: 'Drilled', status: 'True', reason: 'Drilled', message: `Backup ${backup} was restored${counted}` },
      ],
    };
  }
  const { reason, message, hint } = failure ?? { reason: 'Failed', message: 'it does not say why' };
  const why: Failure = {
    reason: 'DrillFailed',
    message: `Drill ${last.metadata.name} of Backup ${backup} failed: ${reason}: ${message}`,
    hint: hint ?? `kubectl describe restore.holdfast.dev ${last.metadata.name}`,
  };
  return { status: { lastDrill: { ...base, result: 'Failed' } }, reports: [drilled('False', why)], failure: why };
}

/** Reasons that are of a drill which has ended; the others are of a moment. */
const OUTCOMES: readonly string[] = ['Drilled', 'DrillFailed'];

function saidBefore({ status }: BackupSchedule): Pick<DrillStep, 'status' | 'reports'> {
  const { lastDrill, conditions } = status ?? {};
  const before = conditions?.find(({ type, reason }) => type === 'Drilled' && OUTCOMES.includes(reason));
  const report = before ?? (lastDrill === undefined ? undefined : outcomeOf(lastDrill));
  return {
    status: lastDrill === undefined ? {} : { lastDrill },
    reports:
      report === undefined
        ? []
        : [{ type: 'Drilled', status: report.status, reason: report.reason, message: report.message }],
  };
}

/** Where something else was said since, and its Restore is gone. */
function outcomeOf({ result, restore, backup }: NonNullable<BackupScheduleStatus['lastDrill']>): ConditionReport {
  return result === 'Restored'
    ? { type: 'Drilled', status: 'True', reason: 'Drilled', message: `Backup ${backup} was restored` }
    : drilled('False', { reason: 'DrillFailed', message: `Drill ${restore} of Backup ${backup} failed` });
}

function drilled(status: 'False', failure: Failure): ConditionReport {
  return { type: 'Drilled', status, ...said(failure) };
}

/** The oldest of those that are over, beyond so many. */
function forgotten({ drills }: BackupScheduleFacts, keep: number): Action[] {
  const over = drills.filter((restore) => isOver(restore) && restore.metadata.deletionTimestamp === undefined);
  return over.slice(0, Math.max(0, over.length - keep)).map(({ metadata }) => ({
    action: 'deleteRestore',
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
  }));
}
