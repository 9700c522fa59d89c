import type { NewLease } from '../../api/kubernetes.ts';
import { FINALIZERS, jobName } from '../../api/names.ts';
import type { RestoreStatus } from '../../api/restore.ts';
import type { Failure } from '../../lib/errors.ts';
import type { Action, Decision } from '../action.ts';
import { databaseLock, releaseOf, scaleLease } from '../leases.ts';
import { holdUpOf, newest, POD_PATIENCE, resultOf } from '../run-facts.ts';
import { releaseLock, removeOlder, takeLock, until } from '../waiting.ts';
import { endingStep } from './ending.ts';
import { expire } from './expire.ts';
import { holderOf, loadJobName, type Outcome, type RestoreFacts, startDeadlineOf, takenWorkloads } from './facts.ts';
import { loadJob, planJob, targetOf } from './jobs.ts';
import { type Needs, type RestoreState, stateOf } from './states.ts';
import { concludedStatus, pinnedStatus, progressStatus, terminalStatus, waitingStatus } from './status.ts';

/** While pods are on their way out: workloads and an app's pods are not watched, only asked for during a restore. */
const QUIESCE_POLL = 1_000;

/** While loading: how soon a pod that somebody started again is noticed. */
const LOAD_POLL = 5_000;

export function decide(facts: RestoreFacts, now: Date): Decision<RestoreStatus> {
  const found = stateOf(facts, now);
  switch (found.state) {
    case 'over':
      return over(facts, now);
    case 'leaving':
      return leave(facts, now);
    case 'unguarded':
      return { actions: [{ action: 'addFinalizer', finalizer: FINALIZERS.restore }] };
    case 'ending':
      return end(facts, found.outcome, now);
    case 'concluded':
      // Written down before the first step of the ending: what led to it (a time-out, a pod) may look different a moment later.
      return { actions: [], status: concludedStatus(facts, found.outcome, now), requeueAfter: 0 };
    case 'waiting':
      return wait(facts, found.failure, found.retryAt, now);
    case 'unpinned':
      return { actions: [], status: pinnedStatus(facts, found, now), requeueAfter: 0 };
    case 'plannable':
      return plan(facts, found.needs, now);
    case 'planning':
      return {
        actions: [],
        status: progressStatus(facts, { phase: 'Resolving', trouble: holdUpOf(found.run, now) }, now),
        requeueAfter: POD_PATIENCE,
      };
    case 'quiescing':
      return quiesce(facts, found, now);
    case 'loadable':
      return load(facts, found, now);
    case 'loading':
      return {
        actions: [],
        status: progressStatus(
          facts,
          { phase: 'Loading', plan: found.plan, trouble: holdUpOf(found.run, now), jobName: found.run.name },
          now,
        ),
        requeueAfter: LOAD_POLL,
      };
    default:
      return found satisfies never;
  }
}

function wait(facts: RestoreFacts, failure: Failure, retryAt: Date | undefined, now: Date): Decision<RestoreStatus> {
  return {
    actions: release(facts),
    status: waitingStatus(facts, failure, now),
    ...until(retryAt ?? startDeadlineOf(facts), now, failure),
  };
}

/** Takes the lock of the target and looks. A crash between the two leaves a lock that is ours, and the next look finds it held. */
function plan(facts: RestoreFacts, needs: Needs, now: Date): Decision<RestoreStatus> {
  const { restore, runs } = facts;
  const attempt = Math.max(restore.status?.attempts ?? 0, newest(runs, 'plan')?.attempt ?? 0) + 1;
  const plans = runs.filter(({ purpose }) => purpose === 'plan');
  return {
    actions: [
      ...takeLock(facts.lock, holderOf(restore), lockOf(facts, needs)),
      { action: 'createJob', job: planJob(facts, needs, attempt) },
      ...removeOlder(plans, restore.metadata.namespace),
    ],
    status: progressStatus(
      facts,
      { phase: 'Resolving', attempts: attempt, jobName: jobName(restore.metadata, 'plan', attempt) },
      now,
    ),
    statusOnFailure: (failure) => waitingStatus(facts, failure, now),
  };
}

/**
 * Takes each workload to zero. The Lease, which is lock and memory of the count at once, is made before the count is
 * touched: a crash between the two leaves a Lease whose count is still true.
 */
function quiesce(
  facts: RestoreFacts,
  found: RestoreState & { state: 'quiescing' },
  now: Date,
): Decision<RestoreStatus> {
  const namespace = facts.restore.metadata.namespace;
  const taken = takenWorkloads(facts);
  const actions = facts.workloads.flatMap((each): Action[] => {
    const { workload, found: now_, lease } = each;
    if (now_ === undefined) return [];
    const mine = taken.some((other) => other.workload === workload);
    const stale = !mine && lease !== undefined ? [releaseOf(lease)] : [];
    const claim: Action[] = mine
      ? []
      : [...stale, { action: 'createLease', lease: scaleLease(workload, now_.replicas, holderOf(facts.restore)) }];
    const { uid, resourceVersion, replicas } = now_;
    const scale: Action[] =
      replicas === 0
        ? []
        : [{ action: 'scale', kind: workload.kind, namespace, name: workload.name, uid, resourceVersion, replicas: 0 }];
    return [...claim, ...scale];
  });
  return {
    actions,
    status: progressStatus(facts, { phase: 'Quiescing', plan: found.plan, waitsFor: found.waitsFor }, now),
    statusOnFailure: (failure) =>
      progressStatus(facts, { phase: 'Quiescing', plan: found.plan, trouble: failure }, now),
    requeueAfter: QUIESCE_POLL,
  };
}

function load(facts: RestoreFacts, found: RestoreState & { state: 'loadable' }, now: Date): Decision<RestoreStatus> {
  const progress = { phase: 'Loading', plan: found.plan, jobName: loadJobName(facts.restore) } as const;
  return {
    actions: [{ action: 'createJob', job: loadJob(facts, found.needs, now) }],
    status: progressStatus(facts, progress, now),
    statusOnFailure: (failure) =>
      progressStatus(facts, { phase: 'Quiescing', plan: found.plan, trouble: failure }, now),
    requeueAfter: LOAD_POLL,
  };
}

function end(facts: RestoreFacts, outcome: Outcome, now: Date): Decision<RestoreStatus> {
  const next = endingStep(facts, outcome.result, now);
  switch (next.step) {
    case 'note':
      return {
        actions: [],
        status: progressStatus(facts, { phase: 'Resuming', jobName: loadJobName(facts.restore) }, now),
        requeueAfter: 0,
      };
    case 'act':
      return {
        actions: next.actions,
        status: progressStatus(facts, { phase: 'Resuming' }, now),
        statusOnFailure: (failure) => progressStatus(facts, { phase: 'Resuming', trouble: failure }, now),
        requeueAfter: next.requeueAfter,
      };
    case 'done':
      return {
        // The lock goes first: freed after the terminal status, a crash in between would keep it for ever.
        actions: release(facts),
        status: terminalStatus(
          facts,
          outcome,
          { cleanup: next.cleanup, gaveUp: next.gaveUp, load: resultOf(newest(facts.runs, 'restore'), 'restore') },
          now,
        ),
        afterStatus: [{ action: 'removeFinalizer', finalizer: FINALIZERS.restore }],
      };
    default:
      return next satisfies never;
  }
}

/** The same ending, without a word about it: whoever deleted the Restore does not read its status any more. */
function leave(facts: RestoreFacts, now: Date): Decision<RestoreStatus> {
  if (facts.restore.metadata.finalizers?.includes(FINALIZERS.restore) !== true) return { actions: [] };
  const next = endingStep(facts, facts.restore.status?.outcome?.result ?? 'Unknown', now);
  switch (next.step) {
    case 'note':
      return {
        actions: [],
        status: progressStatus(facts, { phase: 'Resuming', jobName: loadJobName(facts.restore) }, now),
        requeueAfter: 0,
      };
    case 'act':
      return { actions: next.actions, requeueAfter: next.requeueAfter };
    case 'done':
      return { actions: [...release(facts), { action: 'removeFinalizer', finalizer: FINALIZERS.restore }] };
    default:
      return next satisfies never;
  }
}

/** A crash between terminal status and finalizer leaves the finalizer; it goes here. */
function over(facts: RestoreFacts, now: Date): Decision<RestoreStatus> {
  const guarded = facts.restore.metadata.finalizers?.includes(FINALIZERS.restore) === true;
  if (guarded) return { actions: [...release(facts), { action: 'removeFinalizer', finalizer: FINALIZERS.restore }] };
  return expire(facts, now);
}

function lockOf({ restore, settings }: RestoreFacts, { backup }: Needs): NewLease {
  return databaseLock(settings.namespace, targetOf(restore, backup), holderOf(restore));
}

function release({ lock, restore }: RestoreFacts): Action[] {
  return releaseLock(lock, holderOf(restore));
}
