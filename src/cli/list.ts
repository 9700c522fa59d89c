/** `list`: the backups that there are, newest first. */
import type { Backup } from '../api/backup.ts';
import { ANNOTATIONS } from '../api/names.ts';
import { KIND } from '../kube/kinds.ts';
import { formatBytes } from '../lib/bytes.ts';
import { formatDuration } from '../lib/duration.ts';
import { databaseOf, EVERY_DATABASE } from './names.ts';
import { EXIT, type Format } from './output.ts';
import { hasFailed, isComplete, phaseOf, spanOf } from './run.ts';
import { type Cli, type CommonOptions, withSession } from './session.ts';
import type { Paint } from './style.ts';
import { cell, table } from './table.ts';
import { age } from './words.ts';

export interface ListOptions extends CommonOptions {
  readonly output?: Format;
  readonly allNamespaces?: boolean;
  readonly schedule?: string;
}

export async function list(cli: Cli, options: ListOptions): Promise<number> {
  const { output } = cli;
  return withSession(cli, options, async (session) => {
    const everywhere = options.allNamespaces === true;
    if (options.schedule !== undefined && !everywhere) await mustExist(session, options.schedule);
    const found = await session.cluster.list(KIND.backup, everywhere ? {} : { namespace: session.namespace });
    const backups = found
      .filter((backup) => options.schedule === undefined || scheduleOf(backup) === options.schedule)
      .sort(newestFirst);
    if (options.output === 'json' || options.output === 'yaml') {
      output.objects({ apiVersion: 'v1', kind: 'List', items: backups }, options.output);
      return EXIT.ok;
    }
    if (backups.length === 0) {
      const where = everywhere ? 'in any namespace' : `in namespace "${session.namespace}"`;
      const whose = options.schedule === undefined ? '' : ` of schedule "${options.schedule}"`;
      output.say(`There is no backup${whose} ${where}.${everywhere ? '' : ' -A looks into all of them.'}`);
      return EXIT.ok;
    }
    output.data(
      backupTable(backups, { now: cli.now(), paint: output.paint, wide: options.output === 'wide', everywhere }),
    );
    return EXIT.ok;
  });
}

/** A mistyped schedule has no backups either: that is no answer. Backups of a schedule that was deleted are still found. */
async function mustExist(session: import('./session.ts').Session, schedule: string): Promise<void> {
  const backups = await session.cluster.list(KIND.backup, { namespace: session.namespace });
  if (!backups.some((backup) => scheduleOf(backup) === schedule)) await session.find(KIND.backupSchedule, schedule);
}

export function scheduleOf(backup: Backup): string | undefined {
  return backup.metadata.annotations?.[ANNOTATIONS.schedule];
}

export function newestFirst(a: Backup, b: Backup): number {
  const [one, other] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (one === other) return a.metadata.name < b.metadata.name ? 1 : -1;
  return one < other ? 1 : -1;
}

export interface TableOptions {
  readonly now: Date;
  readonly paint: Paint;
  readonly wide?: boolean;
  readonly everywhere?: boolean;
}

export function backupTable(backups: readonly Backup[], { now, paint, wide, everywhere }: TableOptions): string {
  const headers = [
    ...(everywhere === true ? ['NAMESPACE'] : []),
    ...['NAME', 'SCHEDULE', 'DATABASE', 'PHASE', 'SIZE', 'VERIFIED', 'AGE'],
    ...(wide === true ? ['DUMP', 'TOOK', 'STORE', 'SERVER', 'LOCATION'] : []),
  ];
  const rows = backups.map((backup) => [
    ...(everywhere === true ? [backup.metadata.namespace] : []),
    backup.metadata.name,
    scheduleOf(backup) ?? '-',
    cell(databaseOf(backup).database ?? EVERY_DATABASE),
    paintedPhase(backup, paint),
    backup.status?.sizes === undefined ? '-' : formatBytes(backup.status.sizes.stored),
    verifiedOf(backup),
    cell(age(backup.metadata.creationTimestamp, now)),
    ...(wide === true ? wideCells(backup, now) : []),
  ]);
  return table(headers, rows);
}

function wideCells(backup: Backup, now: Date): string[] {
  const { status, spec } = backup;
  return [
    status?.sizes?.source ? formatBytes(status.sizes.source) : '-',
    status?.startTime === undefined ? '-' : formatDuration(spanOf(backup, now)),
    spec.storeRef.name,
    status?.server === undefined ? '-' : cell(`${status.server.engine} ${status.server.version}`),
    cell(status?.location),
  ];
}

/** A Complete archive was read back to the end; of anything else nothing is known. */
function verifiedOf({ status }: Backup): string {
  return status?.verification?.level ?? 'no';
}

/** With the reason, where it is not going well. */
export function paintedPhase(run: Parameters<typeof phaseOf>[0], paint: Paint): string {
  const phase = phaseOf(run);
  const reason = run.status?.failure?.reason;
  const text = cell(reason === undefined ? phase : `${phase}: ${reason}`);
  if (hasFailed(run)) return paint('red', text);
  if (isComplete(run)) return paint('green', text);
  return reason === undefined ? paint('cyan', text) : paint('yellow', text);
}
