/** The plan of a restore as the operator wrote it down, for people. Pure. */
import type { Comparison } from '../api/comparison.ts';
import type { Restore, RestoreStatus } from '../api/restore.ts';
import { formatBytes } from '../lib/bytes.ts';
import { failureOf, isComplete } from './run.ts';
import { harmless } from './style.ts';
import { facts } from './table.ts';

type Plan = NonNullable<RestoreStatus['plan']>;

export function plannedText(restore: Restore): string {
  const { plan } = restore.status ?? {};
  if (plan === undefined) return harmless(`It did not come to a plan. ${saidOf(restore)}`);
  const parts = [facts(linesOf(plan)), ...(plan.refusals ?? []).map(refusalText), verdictOf(restore, plan)];
  return harmless(parts.join('\n\n'));
}

function linesOf(plan: Plan): [string, string | undefined][] {
  // Of an archive that cannot be opened nobody knows where it could go.
  const seen = plan.server !== '';
  const there = plan.databaseExists ? `is there, with ${plan.objects} objects in it` : 'is not there yet';
  return [
    ['server', seen ? plan.server : 'not looked at: the archive cannot be opened'],
    ['database', seen ? there : undefined],
    ['needs', seen ? `${formatBytes(plan.bytesNeeded)} beside what is there, as the uncompressed dump` : undefined],
    ['versions', several((plan.compatibility ?? []).map(comparisonText))],
    ['warning', several(plan.warnings ?? [])],
    ['note', several(plan.notes ?? [])],
  ];
}

function several(lines: readonly string[]): string | undefined {
  return lines.length === 0 ? undefined : lines.join('\n');
}

const VERDICTS: Readonly<Record<Comparison['verdict'], string>> = {
  Fits: 'fits',
  Refused: 'does not fit',
  NotJudged: 'not judged',
};

function comparisonText({ of, archive = 'unknown', target = 'unknown', verdict }: Comparison): string {
  return `${of}: ${archive} in the archive, ${target} here: ${VERDICTS[verdict]}`;
}

function refusalText(refusal: NonNullable<Plan['refusals']>[number]): string {
  const { reason, message, hint, forceable, forced } = refusal;
  const way = forced ? 'taken on by force' : forceable ? `can be taken on: --force ${reason}` : undefined;
  return [
    `${forced ? 'forced' : 'refused'}  ${reason}: ${message}`,
    ...(hint === undefined || forced ? [] : [`  next:   ${hint}`]),
    ...(way === undefined ? [] : [`  force:  ${way}`]),
  ].join('\n');
}

function verdictOf(restore: Restore, plan: Plan): string {
  const inTheWay = (plan.refusals ?? []).filter(({ forced }) => !forced).length;
  if (inTheWay > 0) {
    return `${inTheWay} ${inTheWay === 1 ? 'refusal stands' : 'refusals stand'} in the way. Nothing was touched.`;
  }
  if (isComplete(restore)) return 'Nothing stands in the way. Nothing was touched.';
  return `${saidOf(restore)} Nothing was touched.`;
}

function saidOf(restore: Restore): string {
  const { reason, message } = failureOf(restore);
  return `${reason}: ${message}`;
}
