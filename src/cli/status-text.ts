/** Everything of a namespace at a glance. Pure. */
import type { Backup } from '../api/backup.ts';
import type { BackupKey } from '../api/backup-key.ts';
import type { BackupSchedule } from '../api/backup-schedule.ts';
import type { BackupStore } from '../api/backup-store.ts';
import type { Condition } from '../api/conditions.ts';
import { isDrill, type Restore } from '../api/restore.ts';
import { backupTable, newestFirst, paintedPhase } from './list.ts';
import { shownSource } from './names.ts';
import { estimateFor, type Progress, progressLine } from './progress.ts';
import { detailOf, isOver, type Run } from './run.ts';
import type { Paint } from './style.ts';
import { cell, table } from './table.ts';
import { age, plural } from './words.ts';

export interface World {
  readonly stores: readonly BackupStore[];
  readonly keys: readonly BackupKey[];
  readonly schedules: readonly BackupSchedule[];
  readonly backups: readonly Backup[];
  readonly restores: readonly Restore[];
}

/** What is known of runs at work, by uid. */
export type ProgressOf = (uid: string) => Progress | undefined;

export interface View {
  readonly now: Date;
  readonly paint: Paint;
  readonly progressOf: ProgressOf;
  /** Backups and Restores that are over: how many of each are shown. */
  readonly recent: number;
}

export function statusText(world: World, view: View): string {
  const sections = [
    section('STORES', storeTable(world, view)),
    section('KEYS', keyTable(world, view)),
    section('SCHEDULES', scheduleTable(world, view)),
    section('BACKUPS', runSection(world, view)),
    section('RESTORES', restoreSection(world, view)),
  ].filter((text) => text !== undefined);
  return sections.length === 0 ? 'Nothing of Holdfast is in this namespace.' : sections.join('\n\n');

  function section(title: string, body: string | undefined): string | undefined {
    return body === undefined ? undefined : `${view.paint('bold', title)}\n${body}`;
  }
}

function readyCell(conditions: readonly Condition[] | undefined, paint: Paint): string {
  const ready = conditions?.find(({ type }) => type === 'Ready');
  if (ready === undefined) return paint('yellow', 'not looked at');
  return ready.status === 'True'
    ? paint('green', 'yes')
    : paint('red', `no: ${cell(ready.reason)}: ${cell(ready.message)}`);
}

function storeTable({ stores }: World, { paint, now }: View): string | undefined {
  if (stores.length === 0) return undefined;
  const rows = stores.map(({ metadata, spec, status }) => [
    metadata.name,
    cell([spec.s3.bucket, spec.s3.prefix].filter((part) => part !== undefined).join('/')),
    cell(age(status?.lastCheckTime, now)),
    readyCell(status?.conditions, paint),
  ]);
  return table(['NAME', 'BUCKET', 'CHECKED', 'READY'], rows);
}

function keyTable({ keys }: World, { paint }: View): string | undefined {
  if (keys.length === 0) return undefined;
  const rows = keys.map(({ metadata, spec, status }) => [
    metadata.name,
    spec.default === true ? 'yes' : '-',
    plural(spec.recipients.length, 'reader'),
    readyCell(status?.conditions, paint),
  ]);
  return table(['NAME', 'DEFAULT', 'READERS', 'READY'], rows);
}

function scheduleTable({ schedules }: World, view: View): string | undefined {
  const { paint, now } = view;
  if (schedules.length === 0) return undefined;
  const rows = schedules.map(({ metadata, spec, status }) => [
    metadata.name,
    cell(spec.schedule),
    cell(spec.timeZone ?? 'Etc/UTC'),
    spec.suspend === true ? paint('yellow', 'suspended') : cell(status?.nextScheduleTime),
    age(status?.lastSuccessfulTime, now) ?? '-',
    failuresCell(status?.consecutiveFailures, paint),
    drillCell(spec, status, view),
    cell(status?.keptBackups),
    readyCell(status?.conditions, paint),
  ]);
  return table(['NAME', 'SCHEDULE', 'ZONE', 'NEXT', 'SUCCEEDED', 'FAILURES', 'DRILLED', 'KEPT', 'READY'], rows);
}

/** How long ago the last drill was, and how it ended. */
function drillCell({ drill }: BackupSchedule['spec'], status: BackupSchedule['status'], { paint, now }: View): string {
  const last = status?.lastDrill;
  if (last === undefined) return drill === undefined ? '-' : 'not yet';
  const ago = age(last.time, now) ?? '-';
  return last.result === 'Failed' ? paint('red', `failed ${ago} ago`) : ago;
}

function failuresCell(failures: number | undefined, paint: Paint): string {
  return failures === undefined || failures === 0 ? '0' : paint('red', String(failures));
}

/** Those at work, and the newest of the others. */
function shownOf<T extends Backup | Restore>(runs: readonly T[], recent: number): { shown: T[]; hidden: number } {
  const sorted = [...runs].sort((a, b) => newestFirst(a as Backup, b as Backup));
  const over = sorted.filter(isOver);
  const shown = sorted.filter((run) => !isOver(run) || over.indexOf(run) < recent);
  return { shown, hidden: sorted.length - shown.length };
}

function runSection({ backups }: World, view: View): string | undefined {
  if (backups.length === 0) return undefined;
  const { shown, hidden } = shownOf(backups, view.recent);
  return [backupTable(shown, view), ...atWork(shown, backups, view), ...more(hidden, 'kubectl holdfast list')].join(
    '\n',
  );
}

function restoreSection({ restores, backups }: World, view: View): string | undefined {
  if (restores.length === 0) return undefined;
  const { shown, hidden } = shownOf(restores, view.recent);
  const rows = shown.map((restore) => [
    restore.metadata.name,
    shownSource(restore),
    paintedPhase(restore, view.paint),
    cell(previousOf(restore)),
    cell(age(restore.metadata.creationTimestamp, view.now)),
  ]);
  const body = table(['NAME', 'BACKUP', 'PHASE', 'PREVIOUS', 'AGE'], rows);
  return [body, ...atWork(shown, backups, view), ...more(hidden, 'kubectl get restores.holdfast.dev')].join('\n');
}

/** A line for each that is not over, with how far it is or what it waits for; and what failed last says why. */
function atWork(runs: readonly Run[], backups: readonly Backup[], { now, paint, progressOf }: View): string[] {
  const working = runs
    .filter((run) => !isOver(run))
    .map((run) => {
      const line = progressLine(
        { run, progress: progressOf(run.metadata.uid), estimate: estimateFor(run, backups) },
        now,
      );
      return `  ${paint('cyan', '▸')} ${run.metadata.name}: ${line}`;
    });
  const newest = runs.find(isOver);
  const detail = newest?.status?.failure === undefined ? undefined : detailOf(newest);
  return detail === undefined
    ? working
    : [...working, `  ${paint('red', '✗')} ${newest?.metadata.name}: ${cell(detail)}`];
}

function more(hidden: number, command: string): string[] {
  return hidden === 0 ? [] : [`  … and ${hidden} older: ${command}`];
}

function previousOf(restore: Restore): string {
  const { status } = restore;
  if (isDrill(restore)) return '(a drill)';
  const many = status?.previousDatabases ?? [];
  return status?.previousDatabase ?? (many.length === 0 ? '-' : `${many.length} databases`);
}
