/** How far a run is, as one line. Pure. */
import type { Backup } from '../api/backup.ts';
import { formatBytes } from '../lib/bytes.ts';
import { formatDuration } from '../lib/duration.ts';
import { databaseOf } from './names.ts';
import { detailOf, phaseOf, type Run, spanOf } from './run.ts';
import { harmless } from './style.ts';

/** What a runner writes into its log every few seconds. */
export interface Progress {
  /** dump, read-back, load. */
  readonly stage: string;
  readonly bytes: number;
  readonly totalBytes?: number;
  /** Since the stage began. */
  readonly seconds: number;
}

/** Undefined for a line of the log that tells nothing of this. */
export function parseProgress(line: string): Progress | undefined {
  try {
    const { msg, stage, bytes, totalBytes, seconds } = JSON.parse(line) as Record<string, unknown>;
    if ((msg !== 'progress' && msg !== 'done') || typeof stage !== 'string' || typeof bytes !== 'number')
      return undefined;
    return {
      stage,
      bytes,
      seconds: typeof seconds === 'number' ? seconds : 0,
      ...(typeof totalBytes === 'number' ? { totalBytes } : {}),
    };
  } catch {
    return undefined;
  }
}

/** Bytes that a dump will probably have: what the last one of the same database had; databases seldom change much in a day. */
export function estimateFor(run: Run, backups: readonly Backup[]): number | undefined {
  if (run.kind !== 'Backup') return undefined;
  const { host, database } = databaseOf(run as Backup);
  return backups
    .filter((backup) => databaseOf(backup).host === host && databaseOf(backup).database === database)
    .filter(({ status }) => (status?.sizes?.source ?? 0) > 0 && status?.completionTime !== undefined)
    .sort((a, b) => ((a.status?.completionTime ?? '') < (b.status?.completionTime ?? '') ? -1 : 1))
    .at(-1)?.status?.sizes?.source;
}

export interface ProgressFacts {
  readonly run: Run;
  readonly progress: Progress | undefined;
  /** See {@link estimateFor}. */
  readonly estimate: number | undefined;
}

/** `Running 2m10s · dump 1.2 GiB at 45.0 MiB/s [######------] 51 % of about 2.4 GiB`. */
export function progressLine({ run, progress, estimate }: ProgressFacts, now: Date): string {
  const head = `${phaseOf(run)} ${formatDuration(spanOf(run, now))}`;
  const tail = progress === undefined ? detailOf(run) : measured(progress, estimate);
  return harmless(tail === undefined ? head : `${head} · ${tail}`);
}

function measured({ stage, bytes, totalBytes, seconds }: Progress, estimate: number | undefined): string {
  const speed = seconds > 0 ? ` at ${formatBytes(Math.round(bytes / seconds))}/s` : '';
  const done = `${stage} ${formatBytes(bytes)}${speed}`;
  const total = totalBytes ?? (stage === 'dump' ? estimate : undefined);
  if (total === undefined || total === 0) return done;
  const about = totalBytes === undefined ? 'about ' : '';
  // An estimate may be too small: 100 % is said by the end alone.
  const share = Math.min(totalBytes === undefined ? 0.99 : 1, bytes / total);
  return `${done} ${bar(share)} ${Math.floor(share * 100)} % of ${about}${formatBytes(total)}`;
}

const BAR = 20;

function bar(share: number): string {
  const full = Math.round(share * BAR);
  return `[${'#'.repeat(full)}${'-'.repeat(BAR - full)}]`;
}
