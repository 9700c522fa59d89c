/** What an undo is going to do, in words, and whether there is anything to undo. Pure. */
import type { Restore, RestoreSpec } from '../api/restore.ts';
import { HoldfastError } from '../lib/errors.ts';
import { shownDatabase } from './names.ts';
import { mustHaveWorkloads, type WorkloadNow, workloadsText } from './restore-plan.ts';
import { hasFailed, isComplete, isOver } from './run.ts';
import { facts } from './table.ts';
import { age, list } from './words.ts';

export interface UndoFacts {
  /** The one to undo. */
  readonly undone: Restore;
  readonly spec: RestoreSpec;
  readonly workloads: readonly WorkloadNow[];
  readonly namespace: string;
  /** Every Restore of the namespace. */
  readonly others: readonly Restore[];
}

function keptOf({ status }: Restore): readonly string[] {
  const { previousDatabase, previousDatabases = [] } = status ?? {};
  return previousDatabase === undefined ? previousDatabases : [previousDatabase];
}

/** Whether it is known to keep something. Of one that was live before only the server knows, and a person may name it. */
export function keepsSomething(restore: Restore): boolean {
  return isComplete(restore) && keptOf(restore).length > 0;
}

/** Throws what makes this undo hopeless before it has begun. */
export function mustBeUndoable(plan: UndoFacts): void {
  const { undone, namespace } = plan;
  const { name } = undone.metadata;
  if (!isOver(undone)) {
    throw new HoldfastError(
      'RestoreNotOver',
      `Restore "${name}" is not over yet: what it replaces is known in the end.`,
      {
        hint: `To stop it: kubectl -n ${namespace} delete restore.holdfast.dev ${name}. The live database is then the old one or the new one, and the app comes back.`,
      },
    );
  }
  const result = undone.status?.outcome?.result;
  if (hasFailed(undone) || result === 'DryRun') {
    const what = hasFailed(undone) ? 'failed' : 'was a dry run';
    throw new HoldfastError('NothingToUndo', `Restore "${name}" ${what}, so it changed nothing.`, {
      hint: `kubectl -n ${namespace} get restores.holdfast.dev shows which ones replaced a database.`,
    });
  }
  // One that was live before replaced nothing itself; what its predecessor did only the server knows.
  if (keptOf(undone).length === 0 && result !== 'AlreadyRestored') throw previousGone(plan);
  mustHaveWorkloads(plan);
}

function previousGone({ undone, others, namespace }: UndoFacts): HoldfastError {
  const { name, uid } = undone.metadata;
  const by = others.find((each) => isComplete(each) && each.status?.undoes?.restoreUID === uid);
  if (by !== undefined && keptOf(by).length > 0) {
    return new HoldfastError(
      'PreviousGone',
      `Restore "${name}" was undone already, by Restore "${by.metadata.name}".`,
      {
        hint: `To undo that in turn: kubectl holdfast -n ${namespace} undo ${by.metadata.name}`,
      },
    );
  }
  return new HoldfastError(
    'PreviousGone',
    `Restore "${name}" keeps no database: it replaced none, or its keepPrevious (${undone.spec.keepPrevious ?? '24h'}) is over.`,
    { hint: wayBack(undone, namespace) },
  );
}

/** The safety backup, where one was made, has what was live right before. */
function wayBack({ status }: Restore, namespace: string): string {
  const saved = status?.safetyBackup?.time === undefined ? undefined : status.safetyBackup.name;
  return saved === undefined
    ? `A backup from before brings the content back: kubectl holdfast -n ${namespace} list`
    : `What was live before it is in Backup "${saved}": kubectl holdfast -n ${namespace} restore ${saved}`;
}

export function undoText(plan: UndoFacts, now: Date): string {
  const { undone, spec } = plan;
  const { name } = undone.metadata;
  const replaced = undone.status?.completionTime;
  const since = replaced === undefined ? '' : `, of ${age(replaced, now)} ago (${replaced})`;
  return facts([
    ['undoes', `Restore ${name}${since}`],
    [
      'goes live again',
      `${keptText(undone)}, as ${keptOf(undone).length > 1 ? 'they were' : 'it was'} when the restore replaced it`,
    ],
    ['on', targetText(undone)],
    ['goes away', goesAwayText(spec)],
    ['meanwhile at zero', workloadsText(plan)],
  ]);
}

function keptText(undone: Restore): string {
  const kept = keptOf(undone);
  return kept.length === 0 ? 'what an earlier Restore of that name replaced' : list(kept.map((each) => `"${each}"`));
}

function targetText({ status }: Restore): string {
  const target = status?.target?.postgresql;
  return target === undefined ? 'the server that the restore went to' : shownDatabase(target);
}

function goesAwayText({ keepPrevious = '24h' }: RestoreSpec): string {
  return keepPrevious === '0s'
    ? 'what is live now: it is dropped, and cannot come back'
    : `what is live now: it is kept ${keepPrevious} under another name, and an undo of the undo brings it back`;
}
