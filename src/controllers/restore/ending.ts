/**
 * How a restore ends, whatever it came to: the runner ends, the app comes back, scratch goes, locks go. Pure.
 * Every step looks at the world, so a crash between any two of them changes nothing but the moment.
 */
import type { CleanupResult } from '../../api/task.ts';
import { backoff } from '../../policy/backoff.ts';
import type { Action } from '../action.ts';
import { releaseOf } from '../leases.ts';
import { isOver, newest, type RunFacts, resultOf } from '../run-facts.ts';
import {
  fenceEndOf,
  loadJobName,
  loadRunOf,
  loadWasBegun,
  type Outcome,
  type RestoreFacts,
  takenWorkloads,
} from './facts.ts';
import { cleanupJob } from './jobs.ts';

/** The next step of an ending, or `done`. */
export type EndingStep =
  /** Our note of the load Job must be in the status before the Job may go: it is what a later look goes by. */
  | { readonly step: 'note' }
  | { readonly step: 'act'; readonly actions: readonly Action[]; readonly requeueAfter: number }
  | { readonly step: 'done'; readonly cleanup?: CleanupResult; readonly gaveUp: boolean };

/** How long a target that does not answer may keep a restore from its end: the app is up again, only scratch is left. */
const CLEANUP_PATIENCE = 300_000;

const POLL = 2_000;

export function endingStep(facts: RestoreFacts, result: Outcome['result'], now: Date): EndingStep {
  return stopRunner(facts, now) ?? resumeApp(facts) ?? cleanUp(facts, result, now);
}

/** Waits for the runner's pod to end; beyond the fence it cannot do harm any more and is not waited for. */
function stopRunner(facts: RestoreFacts, now: Date): EndingStep | undefined {
  const planned = newest(facts.runs, 'plan');
  if (planned?.state === 'active') return { step: 'act', actions: deleteJob(facts, planned), requeueAfter: POLL };
  const load = loadRunOf(facts);
  if (load === undefined || isOver(load)) return undefined;
  const fenceEnd = fenceEndOf(load);
  if (fenceEnd !== undefined && now >= fenceEnd) return undefined;
  if (facts.restore.status?.jobName !== loadJobName(facts.restore)) return { step: 'note' };
  const rest = fenceEnd === undefined ? POLL : Math.min(POLL, fenceEnd.getTime() - now.getTime());
  return { step: 'act', actions: deleteJob(facts, load), requeueAfter: Math.max(rest, 1) };
}

function deleteJob({ restore }: RestoreFacts, run: RunFacts): Action[] {
  if (run.job === undefined || run.job.leaving) return [];
  return [{ action: 'deleteJob', namespace: restore.metadata.namespace, name: run.name, uid: run.job.uid }];
}

/**
 * Back to the remembered count, then the Lease goes. A count that is not zero any more is somebody's wish since, and
 * stays. A crash between the two leaves a Lease and a count that is right: the next look removes the Lease.
 */
function resumeApp(facts: RestoreFacts): EndingStep | undefined {
  const actions = takenWorkloads(facts).flatMap(({ workload, found, lease }): Action[] => {
    const { kind, name } = workload;
    const replicas = lease.replicas ?? 0;
    const asleep = found !== undefined && found.replicas === 0 && replicas > 0;
    if (!asleep) return [releaseOf(lease)];
    const { uid, resourceVersion } = found;
    return [
      { action: 'scale', kind, namespace: facts.restore.metadata.namespace, name, uid, resourceVersion, replicas },
      releaseOf(lease),
    ];
  });
  return actions.length === 0 ? undefined : { step: 'act', actions, requeueAfter: POLL };
}

function cleanUp(facts: RestoreFacts, result: Outcome['result'], now: Date): EndingStep {
  if (!loadWasBegun(facts) || result === 'Restored' || result === 'AlreadyRestored')
    return { step: 'done', gaveUp: false };
  const run = newest(facts.runs, 'cleanup');
  const cleanup = resultOf(run, 'cleanup');
  if (cleanup !== undefined) return { step: 'done', cleanup, gaveUp: false };
  if (isPastPatience(facts, now)) return { step: 'done', gaveUp: true };
  if (run !== undefined && run.state !== 'gone') {
    if (!isOver(run)) return { step: 'act', actions: [], requeueAfter: POLL };
    const ended = run.ended ?? now;
    const due = ended.getTime() + backoff(facts.runs[0]?.job?.created ?? ended, ended);
    if (now.getTime() < due) return { step: 'act', actions: [], requeueAfter: due - now.getTime() };
  }
  const attempt = (run?.attempt ?? 0) + 1;
  const job = cleanupJob(facts, 'cleanup', attempt);
  if (job === undefined) return { step: 'done', gaveUp: true };
  return { step: 'act', actions: [{ action: 'createJob', job }], requeueAfter: POLL };
}

/** Counted from when the outcome was written down, or from the deletion of the Restore, and never before the fence. */
function isPastPatience({ restore, runs }: RestoreFacts, now: Date): boolean {
  const concluded = restore.metadata.deletionTimestamp ?? restore.status?.outcome?.time;
  const load = newest(runs, 'restore');
  const fenceEnd = load === undefined || isOver(load) ? undefined : fenceEndOf(load);
  const since = Math.max(concluded === undefined ? now.getTime() : Date.parse(concluded), fenceEnd?.getTime() ?? 0);
  return now.getTime() > since + CLEANUP_PATIENCE;
}
