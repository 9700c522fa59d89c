/**
 * A restore that undoes an earlier one: which that is, when it may begin, and what the two owe each other. Pure.
 *
 * Two hands are on a kept database: the undo, and the end of `keepPrevious`. Once an undo is in our local copy, no new
 * drop begins under it (see {@link undoOf}); one that had begun in that instant is seen by its Job before the app is
 * touched. Should both be missed, the server decides: the swap finds the database gone, or the drop finds no database of
 * that name, and neither changes anything.
 */
import { isTrue } from '../../api/conditions.ts';
import type { Restore } from '../../api/restore.ts';
import type { ServerAccess } from '../../api/task.ts';
import type { UndoneRestore } from '../../api/undone.ts';
import type { Failure } from '../../lib/errors.ts';
import { isOver, newest, type RunFacts } from '../run-facts.ts';
import { isTerminal } from './facts.ts';
import type { SourceChoice, Undoes } from './source.ts';
import { specHashOf } from './spec-hash.ts';

/** The earlier restore, as far as it is still there. */
export interface Earlier {
  /** The Restore that has its name now. */
  readonly restore: Restore | undefined;
  /** Its runs. */
  readonly runs: readonly RunFacts[];
  /** Where it went. */
  readonly target: ServerAccess | undefined;
}

/** Chosen once and pinned: a Restore that is made anew under the same name is another one. */
export function chooseUndo(restore: Restore, earlier: Earlier): SourceChoice {
  const { undoes } = restore.status ?? {};
  if (undoes !== undefined) {
    const isStillThat = earlier.restore?.metadata.uid === undoes.restoreUID;
    const drop = isStillThat ? dropUnderWay(earlier.runs) : undefined;
    return {
      choice: 'kept',
      undone: undoneOf(undoes, restore.metadata.namespace),
      ...(drop === undefined ? {} : { expiring: expiring(undoes.restore, drop) }),
    };
  }
  const name = restore.spec.from.previousOf?.restoreRef.name ?? '';
  if (earlier.restore === undefined) return { choice: 'wait', failure: restoreNotFound(name) };
  if (!isTerminal(earlier.restore)) return { choice: 'wait', failure: restoreNotOver(name) };
  const nothing = replacedNothing(earlier.restore);
  if (nothing !== undefined) return { choice: 'none', failure: nothing };
  if (earlier.target === undefined) return { choice: 'none', failure: targetForgotten(name) };
  return { choice: 'made', pin: pinOf(earlier.restore) };
}

function pinOf({ metadata, spec, status }: Restore): Undoes {
  const { previousDatabase, previousDatabases = [], completionTime } = status ?? {};
  return {
    restore: metadata.name,
    restoreUID: metadata.uid,
    specHash: specHashOf(spec),
    databases: previousDatabase === undefined ? [...previousDatabases] : [previousDatabase],
    ...(completionTime === undefined ? {} : { time: completionTime }),
  };
}

function undoneOf({ restore, restoreUID, specHash, databases }: Undoes, namespace: string): UndoneRestore {
  return { namespace, name: restore, uid: restoreUID, specHash, databases };
}

function dropUnderWay(runs: readonly RunFacts[]): RunFacts | undefined {
  const run = newest(runs, 'expire');
  return run === undefined || isOver(run) ? undefined : run;
}

function expiring(name: string, run: RunFacts): Failure {
  return {
    reason: 'PreviousGone',
    message: `keepPrevious of Restore "${name}" is over, and Job ${run.name} is dropping what it replaced.`,
    hint: 'A backup from before brings the content back: kubectl holdfast list.',
  };
}

/**
 * A Failed one changed nothing, and a dry run neither. One that found itself restored already may have had a predecessor
 * that replaced something: only the server knows.
 */
function replacedNothing({ metadata, status }: Restore): Failure | undefined {
  const failed = isTrue(status?.conditions, 'Failed');
  if (!failed && status?.outcome?.result !== 'DryRun') return undefined;
  return {
    reason: 'NothingToUndo',
    message: `Restore "${metadata.name}" ${failed ? 'failed' : 'was a dry run'}, so it changed nothing.`,
    hint: 'kubectl get restores.holdfast.dev shows which ones replaced a database.',
  };
}

function restoreNotFound(name: string): Failure {
  return {
    reason: 'RestoreNotFound',
    message: `There is no Restore "${name}" in this namespace.`,
    hint: 'kubectl get restores.holdfast.dev lists them.',
  };
}

function restoreNotOver(name: string): Failure {
  return {
    reason: 'RestoreNotOver',
    message: `Restore "${name}" is not over yet: what it replaces is known in the end.`,
    hint: `To stop it: kubectl delete restore.holdfast.dev ${name}.`,
  };
}

function targetForgotten(name: string): Failure {
  return {
    reason: 'TargetUnknown',
    message: `Restore "${name}" does not tell where its database is, and its Backup and its Jobs are gone.`,
    hint: 'Rename by hand, with the app at zero: ALTER DATABASE … RENAME TO …, then ALLOW_CONNECTIONS true.',
  };
}

/** What became of what a restore replaced, by those that want it back. */
export type Undo = { readonly undo: 'wanted' | 'done'; readonly by: string };

/** `undoers`: Restores of the namespace that name this one. A deleted one may still swap until it is gone. */
export function undoOf(restore: Restore, undoers: readonly Restore[]): Undo | undefined {
  const done = undoers.find((each) => undoes(each, restore) && each.status?.outcome?.result === 'Restored');
  // Its status may be written before that of the swap is known to be terminal: until then it is only wanted.
  if (done !== undefined && isTerminal(done)) return { undo: 'done', by: done.metadata.name };
  const wanted = undoers.find((each) => !isTerminal(each) && (undoes(each, restore) || isUnpinned(each)));
  return wanted === undefined ? undefined : { undo: 'wanted', by: wanted.metadata.name };
}

function undoes({ status }: Restore, { metadata }: Restore): boolean {
  return status?.undoes?.restoreUID === metadata.uid;
}

function isUnpinned({ status }: Restore): boolean {
  return status?.undoes === undefined;
}

export function undoneName({ spec }: Restore): string | undefined {
  return spec.from.previousOf?.restoreRef.name;
}

/** Who looks again when a restore changes: undos that wait for it, and the one that it undoes, whose database is spoken for. */
export function undoConcerns(
  changed: Restore,
  all: readonly Restore[],
): readonly { readonly namespace: string; readonly name: string }[] {
  const undone = undoneName(changed);
  return all
    .filter(
      (each) => each.metadata.name === undone || (undoneName(each) === changed.metadata.name && !isTerminal(each)),
    )
    .map(({ metadata }) => ({ namespace: metadata.namespace, name: metadata.name }));
}
