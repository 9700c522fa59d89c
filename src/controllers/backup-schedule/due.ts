/** Which run is due, and what stands against it. Pure. */
import type { BackupSchedule } from '../../api/backup-schedule.ts';
import type { Cron } from '../../policy/cron.ts';
import { lastSlot } from '../../policy/schedule.ts';
import { childName, type Occasion } from './children.ts';
import { type BackupScheduleFacts, isActive } from './facts.ts';

/** A slot that was dealt with without a run, and why. */
export interface Passed {
  readonly reason: 'MissedRun' | 'SkippedRun';
  readonly message: string;
}

export interface Due {
  /** The run to make, if any. */
  readonly occasion?: Occasion;
  /** The slot that is dealt with by this look, run or not. */
  readonly slot?: Date;
  readonly passed?: Passed;
  /** The trigger that is answered by this look. */
  readonly trigger?: string;
}

export function dueRun(facts: BackupScheduleFacts, cron: Cron, now: Date): Due {
  const { spec, status } = facts.schedule;
  if (spec.suspend === true) return {};
  const busy = facts.children.filter(isActive);
  const blocked = busy.length > 0 && spec.concurrencyPolicy !== 'Replace';
  const slot = dueSlot(facts, cron, now, blocked);
  // A person asked: it is not skipped but waits for the run at work.
  if (spec.trigger !== undefined && spec.trigger !== status?.lastTrigger) {
    return blocked ? slot : { occasion: { occasion: 'trigger', trigger: spec.trigger }, trigger: spec.trigger };
  }
  if (spec.runOnCreate === true && isNew(facts)) return { occasion: { occasion: 'creation' } };
  return slot;
}

/** Nothing was ever made or dealt with. */
function isNew({ schedule, children }: BackupScheduleFacts): boolean {
  const { status } = schedule;
  return children.length === 0 && status?.lastScheduleTime === undefined && status?.lastBackup === undefined;
}

function dueSlot(facts: BackupScheduleFacts, cron: Cron, now: Date, blocked: boolean): Due {
  const { schedule } = facts;
  const slot = lastSlot(cron, zoneOf(schedule), baselineOf(schedule), now);
  if (slot === undefined) return {};
  const occasion: Occasion = { occasion: 'slot', slot };
  // Made before a crash that lost our note of it.
  if (facts.children.some(({ metadata }) => metadata.name === childName(schedule, occasion))) return { slot };
  const passed = missed(schedule, slot, now) ?? (blocked ? skipped(facts, slot) : undefined);
  return passed === undefined ? { occasion, slot } : { slot, passed };
}

/** Slots before this instant are dealt with. */
function baselineOf({ metadata, status }: BackupSchedule): Date {
  return new Date(status?.lastScheduleTime ?? metadata.creationTimestamp);
}

function missed({ spec }: BackupSchedule, slot: Date, now: Date): Passed | undefined {
  const late = Math.floor((now.getTime() - slot.getTime()) / 1000);
  if (spec.startingDeadlineSeconds === undefined || late <= spec.startingDeadlineSeconds) return undefined;
  return {
    reason: 'MissedRun',
    message: `The run of ${slot.toISOString()} was missed by ${late} s, more than startingDeadlineSeconds allows.`,
  };
}

function skipped({ children }: BackupScheduleFacts, slot: Date): Passed {
  const busy = children.filter(isActive).map(({ metadata }) => metadata.name);
  return {
    reason: 'SkippedRun',
    message: `The run of ${slot.toISOString()} was skipped: ${busy.join(', ')} is still at work and concurrencyPolicy is Forbid.`,
  };
}

export function zoneOf({ spec }: BackupSchedule): string {
  return spec.timeZone ?? 'Etc/UTC';
}
