import type { NewJob, NewLease } from '../../api/kubernetes.ts';
import { FINALIZERS, jobName } from '../../api/names.ts';
import type { RestoreStatus } from '../../api/restore.ts';
import type { PlanResult, SwapResult } from '../../api/task.ts';
import type { Failure } from '../../lib/errors.ts';
import type { Action, Decision } from '../action.ts';
import { databaseLock } from '../leases.ts';
import { holdUpOf, newest, POD_PATIENCE, type RunFacts, resultOf } from '../run-facts.ts';
import { releaseLock, removeOlder, takeLock, until } from '../waiting.ts';
import { drillStep } from './drill.ts';
import { type EndingStep, endingStep } from './ending.ts';
import { expire } from './expire.ts';
import { holderOf, lateJobName, type Outcome, type RestoreFacts, startDeadlineOf } from './facts.ts';
import { noteFence } from './fence.ts';
import { catalogJob, checkJob, loadJob, planJob, reloadJob, swapJob } from './jobs.ts';
import { takeDown, touchesLive } from './scaling.ts';
import type { Needs, RestoreState } from './state.ts';
import { stateOf } from './states.ts';
import {
  askingStatus,
  concludedStatus,
  pinnedStatus,
  progressStatus,
  resumingStatus,
  terminalStatus,
  waitingStatus,
} from './status.ts';

/** While a pod of the app must not run: workloads and an app's pods are not watched, only asked for during a restore. */
const QUIESCE_POLL = 1_000;

/** For each workload, while its pods are on their way out and the app waits: thirty questions a second at the most, however many there are. */
const QUIESCE_POLL_EACH = 100;

/** Of one or two workloads. */
const QUIESCE_POLL_LEAST = 250;

/** While a Job is at work: how soon a pod that somebody started again is noticed. */
const WORK_POLL = 5_000;

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
    case 'askable':
      return ask(facts, found, now);
    case 'asking':
      return {
        actions: [],
        status: askingStatus(facts, { jobName: found.run.name, trouble: holdUpOf(found.run, now) }, now),
        requeueAfter: POD_PATIENCE,
      };
    case 'unpinned':
      return { actions: [], status: pinnedStatus(facts, found.pin, now), requeueAfter: 0 };
    case 'plannable':
      return plan(facts, found.needs, now);
    case 'planning':
      return {
        actions: [],
        status: progressStatus(facts, { phase: 'Resolving', trouble: holdUpOf(found.run, now) }, now),
        requeueAfter: POD_PATIENCE,
      };
    case 'examinable':
    case 'examining':
    case 'drillable':
    case 'drilling':
      return drillStep(facts, found, now);
    case 'savable':
    case 'saving':
      return save(facts, found, now);
    case 'unsaved':
      return {
        actions: [],
        status: progressStatus(facts, { phase: 'SafetyBackup', plan: found.plan, unsaved: found.refusal }, now),
        requeueAfter: 0,
      };
    case 'quiescing':
      return quiesce(facts, found, now);
    case 'loadable':
      return load(facts, found, now);
    case 'reloadable':
      return keptDown(facts, loadAgain(facts, found, now), now);
    case 'loading':
      return keptDown(facts, atWork(facts, 'Loading', found.run, now), now, found.run);
    case 'checking':
      return keptDown(facts, atWork(facts, 'Checking', found.run, now), now);
    case 'swapping':
      return atWork(facts, 'Swapping', found.run, now);
    case 'checkable':
      return keptDown(
        facts,
        start({ facts, phase: 'Checking', job: checkJob(facts, found.loaded, found.attempt, now) }, now),
        now,
      );
    case 'swappable':
      return swapNow(facts, found, now);
    case 'pausing':
      return keptDown(facts, pause(facts, found, now), now);
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

/** Nothing is locked yet: where the restore goes may be known only when the archive has been looked at. */
function ask(facts: RestoreFacts, found: RestoreState & { state: 'askable' }, now: Date): Decision<RestoreStatus> {
  const { restore, runs } = facts;
  const job = catalogJob(facts, found);
  const asked = runs.filter(({ purpose }) => purpose === 'catalog');
  return {
    actions: [{ action: 'createJob', job }, ...removeOlder(asked, restore.metadata.namespace)],
    status: askingStatus(facts, { jobName: job.metadata.name }, now),
    statusOnFailure: (failure) => waitingStatus(facts, failure, now),
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
 * Makes the Backup of what is live, and waits for it. A crash before the status leaves a Backup that the next look finds by
 * its name; it does not begin before the status has its UID.
 */
function save(
  facts: RestoreFacts,
  found: RestoreState & { state: 'savable' | 'saving' },
  now: Date,
): Decision<RestoreStatus> {
  const { plan, until: deadline } = found;
  const noted = facts.restore.status?.safetyBackup !== undefined;
  const waiting = found.state === 'saving' && noted ? found.backup.status?.failure : undefined;
  return {
    actions: found.state === 'savable' ? [{ action: 'createBackup', backup: found.backup }] : [],
    status: progressStatus(facts, { phase: 'SafetyBackup', plan, trouble: waiting }, now),
    statusOnFailure: (failure) => progressStatus(facts, { phase: 'SafetyBackup', plan, trouble: failure }, now),
    ...until(deadline, now),
  };
}

function quiesce(
  facts: RestoreFacts,
  found: RestoreState & { state: 'quiescing' },
  now: Date,
): Decision<RestoreStatus> {
  return {
    actions: takeDown(facts, now),
    status: progressStatus(facts, { phase: 'Quiescing', plan: found.plan, waitsFor: found.waitsFor }, now),
    statusOnFailure: (failure) =>
      progressStatus(facts, { phase: 'Quiescing', plan: found.plan, trouble: failure }, now),
    requeueAfter: Math.max(QUIESCE_POLL_LEAST, QUIESCE_POLL_EACH * facts.workloads.length),
  };
}

/** Beside what is live the work goes on while an app that somebody started again is taken down once more. */
function keptDown(
  facts: RestoreFacts,
  decision: Decision<RestoreStatus>,
  now: Date,
  run?: RunFacts,
): Decision<RestoreStatus> {
  if (run !== undefined && touchesLive(facts.restore, run)) return decision;
  return { ...decision, actions: [...takeDown(facts, now), ...decision.actions] };
}

function pause(facts: RestoreFacts, found: RestoreState & { state: 'pausing' }, now: Date): Decision<RestoreStatus> {
  return {
    actions: [],
    status: progressStatus(facts, { phase: found.phase, trouble: found.failure }, now),
    requeueAfter: Math.min(found.retryAt.getTime() - now.getTime(), WORK_POLL),
  };
}

function load(facts: RestoreFacts, found: RestoreState & { state: 'loadable' }, now: Date): Decision<RestoreStatus> {
  return start({ facts, phase: 'Loading', job: loadJob(facts, found.needs, found.plan, now), plan: found.plan }, now);
}

function loadAgain(
  facts: RestoreFacts,
  { task, attempt }: RestoreState & { state: 'reloadable' },
  now: Date,
): Decision<RestoreStatus> {
  return start({ facts, phase: 'Loading', job: reloadJob(facts, task, attempt, now) }, now);
}

/** An undo comes here from its plan, which nobody has written down yet. */
function swapNow(
  facts: RestoreFacts,
  found: RestoreState & { state: 'swappable' },
  now: Date,
): Decision<RestoreStatus> {
  const { loaded, attempt, plan } = found;
  const job = swapJob(facts, loaded, attempt, now);
  return start({ facts, phase: 'Swapping', job, ...(plan === undefined ? {} : { plan }) }, now);
}

interface NextJob {
  readonly facts: RestoreFacts;
  readonly phase: 'Loading' | 'Checking' | 'Swapping';
  readonly job: NewJob;
  readonly plan?: PlanResult;
}

/** A crash after the Job was made and before the status: the next look finds the Job. */
function start(step: NextJob, now: Date): Decision<RestoreStatus> {
  const { facts, phase, job, plan } = step;
  return {
    actions: [...noteFence(facts, job), { action: 'createJob', job }],
    status: progressStatus(facts, { phase, plan, jobName: job.metadata.name }, now),
    statusOnFailure: (failure) => progressStatus(facts, { phase, plan, trouble: failure }, now),
    requeueAfter: WORK_POLL,
  };
}

function atWork(
  facts: RestoreFacts,
  phase: 'Loading' | 'Checking' | 'Swapping',
  run: RunFacts,
  now: Date,
): Decision<RestoreStatus> {
  return {
    actions: [],
    status: progressStatus(facts, { phase, trouble: holdUpOf(run, now), jobName: run.name }, now),
    requeueAfter: phase === 'Swapping' ? QUIESCE_POLL : WORK_POLL,
  };
}

function end(facts: RestoreFacts, outcome: Outcome, now: Date): Decision<RestoreStatus> {
  const next = endingStep(facts, outcome.result, now);
  switch (next.step) {
    case 'note':
      return {
        actions: [],
        status: progressStatus(facts, { phase: 'Resuming', jobName: lateJobName(facts) }, now),
        requeueAfter: 0,
      };
    case 'act':
      return goOn(facts, next, now);
    case 'done':
      return {
        // The lock goes first: freed after the terminal status, a crash in between would keep it for ever.
        actions: release(facts),
        status: terminalStatus(
          facts,
          outcome,
          { cleanup: next.cleanup, gaveUp: next.gaveUp, swapped: swappedBy(facts) },
          now,
        ),
        afterStatus: [{ action: 'removeFinalizer', finalizer: FINALIZERS.restore }],
      };
    default:
      return next satisfies never;
  }
}

function goOn(facts: RestoreFacts, next: EndingStep & { step: 'act' }, now: Date): Decision<RestoreStatus> {
  const { actions, rows, trouble, requeueAfter } = next;
  return {
    ...(rows === undefined ? {} : { rows }),
    actions,
    status: resumingStatus(facts, trouble, now),
    statusOnFailure: (failure) => resumingStatus(facts, failure, now),
    requeueAfter,
  };
}

/** What the swap reported, or a load that found its restore live already. */
function swappedBy({ runs }: RestoreFacts): SwapResult | undefined {
  return resultOf(newest(runs, 'swap'), 'swap') ?? resultOf(newest(runs, 'load'), 'load')?.live;
}

/** The same ending. It has no last word, but who waits for the deletion is told what it waits for. */
function leave(facts: RestoreFacts, now: Date): Decision<RestoreStatus> {
  if (facts.restore.metadata.finalizers?.includes(FINALIZERS.restore) !== true) return { actions: [] };
  const next = endingStep(facts, facts.restore.status?.outcome?.result ?? 'Unknown', now);
  switch (next.step) {
    case 'note':
      return {
        actions: [],
        status: progressStatus(facts, { phase: 'Resuming', jobName: lateJobName(facts) }, now),
        requeueAfter: 0,
      };
    case 'act':
      return goOn(facts, next, now);
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

function lockOf({ restore, settings }: RestoreFacts, { target }: Needs): NewLease {
  return databaseLock(settings.namespace, target, holderOf(restore));
}

function release({ lock, restore }: RestoreFacts): Action[] {
  return releaseLock(lock, holderOf(restore));
}
