import { writeFileSync } from 'node:fs';
import {
  type BackupResult,
  EXIT_CODES,
  type PlanResult,
  type PruneResult,
  type Report,
  TERMINATION_MESSAGE_LIMIT,
} from '../api/task.ts';
import type { Failure, HoldfastError } from '../lib/errors.ts';
import { cut } from '../lib/text.ts';

const TERMINATION_LOG = '/dev/termination-log';
/** Tried in turn, in characters, until a report fits. */
const TEXT_LIMITS = [2000, 1000, 500, 250, 120, 60] as const;
const REASON_LIMIT = 128;

type Success = Extract<Report, { readonly ok: true }>;

/** How the process ends after an error. */
export function exitCodeOf(error: HoldfastError): number {
  if (error.reason === 'Interrupted') return EXIT_CODES.interrupted;
  return error.outlook === 'retry' ? EXIT_CODES.notReady : EXIT_CODES.failed;
}

/** The report as the kubelet keeps it: JSON of at most {@link TERMINATION_MESSAGE_LIMIT} bytes; texts that are too long are cut, refusals that are too many are counted. */
export function terminationMessage(report: Report): string {
  for (const limit of TEXT_LIMITS) {
    const message = JSON.stringify(shortened(report, limit));
    if (Buffer.byteLength(message) <= TERMINATION_MESSAGE_LIMIT) return message;
  }
  return withFewerRefusals(shortened(report, TEXT_LIMITS[TEXT_LIMITS.length - 1] ?? 0));
}

export function writeReport(report: Report): void {
  writeFileSync(process.env['HOLDFAST_TERMINATION_LOG'] ?? TERMINATION_LOG, terminationMessage(report));
}

function shortened(report: Report, limit: number): Report {
  if (!report.ok) return { ...report, failure: shortFailure(report.failure, limit) };
  switch (report.command) {
    case 'plan':
      return shortPlan(report, report.result as PlanResult, limit);
    case 'backup':
      return shortBackup(report, report.result as BackupResult, limit);
    case 'prune':
      return shortPrune(report, report.result as PruneResult, limit);
    default:
      return report;
  }
}

function shortPlan(report: Success, result: PlanResult, limit: number): Report {
  const refusals = result.refusals.map((refusal) => shortFailure(refusal, limit));
  // The whole of them is in the log.
  const notes = result.notes?.map((note) => cut(note, limit));
  const short = { ...result, refusals, server: cut(result.server, limit) };
  return { ...report, result: notes === undefined ? short : { ...short, notes } };
}

/** What a server calls itself has any length; the digest is what must arrive. */
function shortBackup(report: Success, result: BackupResult, limit: number): Report {
  const server = { ...result.server, version: cut(result.server.version, limit) };
  const short = { ...result, server, tool: cut(result.tool, limit) };
  if (result.skippedDatabases === undefined) return { ...report, result: short };
  // The whole of them is in the log and in the contents.
  const skippedDatabases = result.skippedDatabases.slice(0, Math.ceil(limit / 50));
  return { ...report, result: { ...short, skippedDatabases } };
}

function shortPrune(report: Success, result: PruneResult, limit: number): Report {
  if (result.failure === undefined) return report;
  return { ...report, result: { ...result, failure: shortFailure(result.failure, limit) } };
}

function withFewerRefusals(report: Report): string {
  const result = report.ok ? (report.result as PlanResult) : undefined;
  const all = result?.refusals ?? [];
  for (let kept = all.length - 1; kept > 0; kept -= 1) {
    const more = { reason: 'MoreRefusals', message: `${all.length - kept} more; see the log of the Job` };
    const message = JSON.stringify({ ...report, result: { ...result, refusals: [...all.slice(0, kept), more] } });
    if (Buffer.byteLength(message) <= TERMINATION_MESSAGE_LIMIT) return message;
  }
  return JSON.stringify(report).slice(0, TERMINATION_MESSAGE_LIMIT);
}

function shortFailure(failure: Failure, limit: number): Failure {
  return {
    reason: cut(failure.reason, REASON_LIMIT),
    message: cut(failure.message, limit),
    ...(failure.hint === undefined ? {} : { hint: cut(failure.hint, limit) }),
  };
}
