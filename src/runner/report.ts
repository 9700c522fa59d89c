import { writeFileSync } from 'node:fs';
import type { Comparison } from '../api/comparison.ts';
import {
  type BackupResult,
  type DrillResult,
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
/** Of a table with its schema and its database, each of which may have 63 characters. */
const NAME_LIMIT = 195;

type Success = Extract<Report, { readonly ok: true }>;

/** How the process ends after an error. */
export function exitCodeOf(error: HoldfastError): number {
  if (error.reason === 'Interrupted') return EXIT_CODES.interrupted;
  return error.outlook === 'retry' ? EXIT_CODES.notReady : EXIT_CODES.failed;
}

/** The report as the kubelet keeps it: JSON of at most {@link TERMINATION_MESSAGE_LIMIT} bytes; texts that are too long are cut, what is too much is counted. */
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
    case 'drill':
      return shortDrill(report, report.result as DrillResult, limit);
    default:
      return report;
  }
}

/** Refusals go last: they are what the restore goes by. The whole of all is in the log. */
function shortPlan(report: Success, result: PlanResult, limit: number): Report {
  const { notes, warnings, compatibility } = result;
  const short = {
    ...result,
    refusals: result.refusals.map((refusal) => shortFailure(refusal, limit)),
    server: cut(result.server, limit),
    ...(compatibility === undefined
      ? {}
      : { compatibility: compatibility.map((each) => shortComparison(each, limit)) }),
    ...(warnings === undefined ? {} : { warnings: fewer(warnings, limit) }),
    ...(notes === undefined ? {} : { notes: fewer(notes, limit) }),
  };
  return { ...report, result: short };
}

function shortComparison({ archive, target, ...comparison }: Comparison, limit: number): Comparison {
  return {
    ...comparison,
    ...(archive === undefined ? {} : { archive: cut(archive, limit) }),
    ...(target === undefined ? {} : { target: cut(target, limit) }),
  };
}

/** The first sentences, each cut; what is left out is counted. */
function fewer(sentences: readonly string[], limit: number): string[] {
  const few = Math.ceil(limit / 60);
  const kept = sentences.slice(0, few).map((sentence) => cut(sentence, limit));
  const more = sentences.length - kept.length;
  return more === 0 ? kept : [...kept, `${more} more; see the log of the Job`];
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

/** That a check did not hold must arrive; the whole of the rest is in the log. */
function shortDrill(report: Success, result: DrillResult, limit: number): Report {
  const few = Math.ceil(limit / 100);
  const { notes, databases } = result;
  const short = {
    ...result,
    server: cut(result.server, limit),
    largest: result.largest.slice(0, few).map(({ table, rows }) => ({ table: cut(table, NAME_LIMIT), rows })),
    checks: result.checks.map(({ found, ...check }) =>
      found === undefined || limit < NAME_LIMIT ? check : { ...check, found: cut(found, Math.ceil(limit / 10)) },
    ),
    ...(databases === undefined ? {} : { databases: databases.slice(0, few) }),
    ...(notes === undefined ? {} : { notes: notes.slice(0, few).map((note) => cut(note, limit)) }),
  };
  return { ...report, result: short };
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
