import { applicationFacts } from '../../api/application.ts';
import type { Backup, BackupStatus } from '../../api/backup.ts';
import type { BackupKey } from '../../api/backup-key.ts';
import type { BackupStore } from '../../api/backup-store.ts';
import type { NewLease } from '../../api/kubernetes.ts';
import { jobName } from '../../api/names.ts';
import { addressOf } from '../../api/postgresql.ts';
import { selectionOf } from '../../api/postgresql-selection.ts';
import type { BackupResult } from '../../api/task.ts';
import { formatDuration, parseDuration } from '../../lib/duration.ts';
import type { Failure } from '../../lib/errors.ts';
import { runnerJob } from '../../manifests/runner-job.ts';
import { databaseSecretsOf, sourceAccessOf, storeAccessOf, storeNeedsOf } from '../access.ts';
import type { Action, Decision } from '../action.ts';
import { isUsable } from '../backup-store/decide.ts';
import { claimOn, databaseLock, type Holder } from '../leases.ts';
import {
  holdUpOf,
  isOver,
  neverStarted,
  newest,
  POD_PATIENCE,
  type RunFacts,
  resultOf,
  runnerLost,
} from '../run-facts.ts';
import { databaseBusy, deleteRun, releaseLock, removeOlder, retryTime, takeLock, unsaid, until } from '../waiting.ts';
import { drilledStatus } from './drilled.ts';
import { type BackupFacts, isTerminal } from './facts.ts';
import { folderOf } from './folder.ts';
import { isToBeNoted, isUnder, originOf, workingHolder } from './origin.ts';
import { completeStatus, failedStatus, pendingStatus, runningStatus } from './status.ts';

/**
 * Read from the world each time, never from the phase:
 *
 * - `over`: a terminal condition stands. Nothing ever happens again.
 * - `running`: the newest attempt has not come to its end.
 * - `succeeded`: the runner reported a verified archive.
 * - `failed`: the run began and failed, or can never succeed.
 * - `unaccounted`: an attempt ended or vanished without a word. It may have committed its manifest or not; somebody must look.
 * - `waiting`: something is missing, and nothing was begun yet.
 * - `ready`: an attempt can start.
 */
export type BackupState =
  | { readonly state: 'over' }
  | { readonly state: 'running'; readonly run: RunFacts }
  | { readonly state: 'succeeded'; readonly result: BackupResult }
  | { readonly state: 'failed'; readonly failure: Failure }
  | { readonly state: 'unaccounted'; readonly failure: Failure }
  | { readonly state: 'waiting'; readonly failure: Failure; readonly retryAt?: Date }
  | { readonly state: 'ready'; readonly store: BackupStore; readonly key: BackupKey };

const NOTE_POLL = 1_000;

export function stateOf(facts: BackupFacts, now: Date): BackupState {
  if (isTerminal(facts.backup)) return { state: 'over' };
  const run = newest(facts.runs, 'backup');
  if (run !== undefined && !isOver(run)) return startIsOverdue(facts, run, now) ?? { state: 'running', run };
  const outcome = outcomeOf(facts, run);
  return outcome ?? startState(facts, run, now);
}

export function decide(facts: BackupFacts, now: Date): Decision<BackupStatus> {
  const found = stateOf(facts, now);
  switch (found.state) {
    case 'over':
      return over(facts, now);
    case 'running':
      return running(facts, found.run, now);
    case 'succeeded':
      // The lock goes first: a lock freed after the terminal status would be kept for ever by a crash in between.
      return { actions: release(facts), status: completeStatus(facts, found.result, now) };
    case 'failed':
      return { actions: [...stopRuns(facts), ...release(facts)], status: failedStatus(facts, found.failure, now) };
    case 'unaccounted':
      return start(facts, { reportOnly: true }, now);
    case 'waiting':
      if (isToBeNoted(facts.backup, facts.lock, facts.served, now)) return { actions: [], requeueAfter: NOTE_POLL };
      return {
        actions: release(facts),
        status: pendingStatus(facts, found.failure, now),
        ...until(found.retryAt ?? startDeadlineOf(facts), now, found.failure),
      };
    case 'ready':
      return start(facts, { reportOnly: false }, now);
    default:
      return found satisfies never;
  }
}

/** Nothing of it changes any more but what is known of its archive. */
function over(facts: BackupFacts, now: Date): Decision<BackupStatus> {
  const status = drilledStatus(facts, now);
  return { actions: release(facts), ...(status === undefined ? {} : { status }) };
}

/** A run that does not get going waits like one that was not begun, and says what for. */
function running(facts: BackupFacts, run: RunFacts, now: Date): Decision<BackupStatus> {
  const holdUp = holdUpOf(run, now);
  const deadline = until(startDeadlineOf(facts), now);
  const look = run.started ? deadline : { requeueAfter: Math.min(POD_PATIENCE, deadline.requeueAfter ?? POD_PATIENCE) };
  const actions = lockOfOnesOwn(facts);
  if (holdUp === undefined || run.started) return { actions, status: runningStatus(facts, run, now), ...look };
  return { actions, status: pendingStatus(facts, holdUp, now), ...look };
}

/** A safety backup whose Restore was deleted meanwhile goes on, and is no longer under its lock. */
function lockOfOnesOwn(facts: BackupFacts): Action[] {
  const { backup, lock } = facts;
  if (originOf(backup) !== 'Safety' || claimOn(lock, holderOf(backup)).claim === 'busy') return [];
  return takeLock(lock, holderOf(backup), lockOf(facts));
}

/** What the newest attempt, which is over, says of the whole backup; undefined where another attempt may follow. */
function outcomeOf(facts: BackupFacts, run: RunFacts | undefined): BackupState | undefined {
  const vanished = attemptsOf(facts) > (run?.attempt ?? 0);
  if (vanished) {
    return {
      state: 'unaccounted',
      failure: {
        reason: 'JobVanished',
        message: 'The Job of the last attempt is gone.',
        hint: 'Somebody deleted it; see the audit log of the cluster.',
      },
    };
  }
  if (run === undefined) return undefined;
  const result = resultOf(run, 'backup');
  if (result !== undefined) return { state: 'succeeded', result };
  const { report } = run;
  if (report === undefined || report.ok) return silentEnd(run, facts.backup.metadata.namespace);
  return report.retry ? undefined : { state: 'failed', failure: report.failure };
}

/** An attempt that ended without a report is looked into once; a look that ends so itself is the end. */
function silentEnd(run: RunFacts, namespace: string): BackupState {
  const failure = runnerLost(run, namespace);
  const looked = run.task?.command === 'backup' && run.task.reportOnly;
  return looked || !run.started ? { state: 'failed', failure } : { state: 'unaccounted', failure };
}

/** A pod that never starts must not keep the backup running, and its database locked, for a day. */
function startIsOverdue(facts: BackupFacts, run: RunFacts, now: Date): BackupState | undefined {
  if (run.started || now < startDeadlineOf(facts)) return undefined;
  const trouble = neverStarted(run, facts.backup.metadata.namespace, now);
  return {
    state: 'failed',
    failure: { ...trouble, message: `Not started within ${startDeadlineText(facts)}. ${trouble.message}` },
  };
}

/** Why no attempt starts, in order; the first that applies wins. */
const RULES: readonly ((facts: BackupFacts, now: Date) => Failure | undefined)[] = [
  // Without a store there is nowhere to go…
  storeIsMissing,
  storeIsNotReady,
  // …without a key nothing may leave the database…
  keyIsMissing,
  // …and one database is worked on by one operation at a time, backups in the order in which they came. Last, so that nothing that
  // waits for something else holds others up.
  databaseIsBusy,
  someoneCameFirst,
];

function startState(facts: BackupFacts, run: RunFacts | undefined, now: Date): BackupState {
  const last = lastFailure(run);
  const missing = RULES.map((rule) => rule(facts, now)).find((failure) => failure !== undefined);
  const wait = missing ?? last;
  if (wait !== undefined && now >= startDeadlineOf(facts))
    return { state: 'failed', failure: deadlineExceeded(facts, wait) };
  if (missing !== undefined) return { state: 'waiting', failure: missing };
  const retryAt = retryTime(facts.backup.status?.startTime, run);
  if (last !== undefined && retryAt !== undefined && now < retryAt) return { state: 'waiting', failure: last, retryAt };
  if (facts.store === undefined || 'wait' in facts.key) return { state: 'waiting', failure: UNREACHABLE };
  return { state: 'ready', store: facts.store, key: facts.key.key };
}

/** The rules leave no way here; it satisfies the compiler without a cast. */
const UNREACHABLE: Failure = { reason: 'NotReady', message: 'store or key is missing' };

function storeIsMissing({ store, backup }: BackupFacts): Failure | undefined {
  if (store !== undefined) return undefined;
  const { name } = backup.spec.storeRef;
  return {
    reason: 'StoreNotFound',
    message: `There is no BackupStore "${name}" in this namespace.`,
    hint: 'Make it, or name another in a new Backup: kubectl get backupstores.',
  };
}

function storeIsNotReady({ store }: BackupFacts): Failure | undefined {
  if (store === undefined || isUsable(store)) return undefined;
  const { name } = store.metadata;
  const ready = store.status?.conditions?.find(({ type }) => type === 'Ready');
  const describe = `kubectl describe backupstore ${name} tells more.`;
  if (ready === undefined) {
    return { reason: 'StoreNotReady', message: `BackupStore "${name}" has not been tried yet.`, hint: describe };
  }
  const { reason, message, hint = describe } = unsaid(ready);
  return { reason: 'StoreNotReady', message: `BackupStore "${name}" cannot be used yet: ${reason}: ${message}`, hint };
}

function keyIsMissing({ key }: BackupFacts): Failure | undefined {
  return 'wait' in key ? key.wait : undefined;
}

function databaseIsBusy({ lock, backup, served }: BackupFacts): Failure | undefined {
  return databaseBusy(lock, workingHolder(holderOf(backup), lock, served));
}

/** The lock is free, and would be anybody's: of those that want nothing but the lock it is for who has waited for the longest. */
function someoneCameFirst({ backup, lock, earlier, served }: BackupFacts, now: Date): Failure | undefined {
  // Taken before a crash, or by the Restore that waits for this backup: it is too late for good manners.
  if (lock?.holderUid === backup.metadata.uid || isUnder(lock, served)) return undefined;
  const first = earlier.find((facts) => stateOf(facts, now).state === 'ready');
  if (first === undefined) return undefined;
  const { namespace, name } = first.backup.metadata;
  return {
    reason: 'DatabaseBusy',
    message: `Backup ${namespace}/${name} has waited longer for this database; this backup starts when it is over.`,
  };
}

function lastFailure(run: RunFacts | undefined): Failure | undefined {
  return run?.report !== undefined && !run.report.ok ? run.report.failure : undefined;
}

/**
 * Takes the lock and makes the Job of the next attempt. A crash between the two leaves a lock that is ours: the next look
 * finds it held and makes the Job. A crash after both leaves a Job whose name says that it was made.
 */
function start(facts: BackupFacts, { reportOnly }: { reportOnly: boolean }, now: Date): Decision<BackupStatus> {
  const { backup, store, settings, key } = facts;
  if (store === undefined)
    return { actions: [], status: pendingStatus(facts, storeIsMissing(facts) ?? UNREACHABLE, now) };
  const { metadata, spec } = backup;
  const attempt = Math.max(attemptsOf(facts), newest(facts.runs, 'backup')?.attempt ?? 0) + 1;
  const database = sourceAccessOf(spec.source.postgresql);
  const selection = selectionOf(spec.source.postgresql);
  const access = storeAccessOf(store);
  const needs = storeNeedsOf(access);
  const run = { cluster: settings.clusterName, namespace: metadata.namespace, name: metadata.name, uid: metadata.uid };
  const folder = folderOf(backup, access.prefix, settings.clusterName);
  const application = applicationFacts(spec.application, facts.nodes);
  const job = runnerJob({
    owner: { kind: 'Backup', ...run },
    purpose: 'backup',
    attempt,
    task: {
      command: 'backup',
      run,
      store: access,
      folder,
      database,
      ...(selection === undefined ? {} : { selection }),
      ...(application === undefined ? {} : { application }),
      recipients: 'key' in key ? key.key.spec.recipients : [],
      compressionLevel: spec.compression?.level ?? 3,
      conditionalWrites: store.status?.conditionalWrites ?? false,
      reportOnly,
    },
    ...needs,
    secrets: { ...needs.secrets, ...databaseSecretsOf(database) },
    settings: settings.runner,
    activeDeadlineSeconds: spec.activeDeadlineSeconds ?? 86_400,
  });
  return {
    actions: [
      ...(reportOnly
        ? []
        : takeLock(facts.lock, workingHolder(holderOf(backup), facts.lock, facts.served), lockOf(facts))),
      { action: 'createJob', job },
      ...removeOlder(facts.runs, metadata.namespace),
    ],
    status: runningStatus(facts, { attempt, name: jobName(metadata, 'backup', attempt) }, now),
    statusOnFailure: (failure) => pendingStatus(facts, failure, now),
  };
}

function lockOf({ backup, settings }: BackupFacts): NewLease {
  return databaseLock(settings.namespace, addressOf(backup.spec.source.postgresql), holderOf(backup));
}

function release({ lock, backup }: BackupFacts): Action[] {
  return releaseLock(lock, holderOf(backup));
}

function stopRuns({ runs, backup }: BackupFacts): Action[] {
  return runs.filter((run) => !isOver(run)).flatMap((run) => deleteRun(run, backup.metadata.namespace));
}

function holderOf(backup: Backup): Holder {
  return { kind: 'Backup', metadata: backup.metadata };
}

function attemptsOf({ backup }: BackupFacts): number {
  return backup.status?.attempts ?? 0;
}

function startDeadlineText({ backup }: BackupFacts): string {
  return formatDuration(parseDuration(backup.spec.startDeadline ?? '1h'));
}

function startDeadlineOf({ backup }: BackupFacts): Date {
  return new Date(Date.parse(backup.metadata.creationTimestamp) + parseDuration(backup.spec.startDeadline ?? '1h'));
}

function deadlineExceeded(facts: BackupFacts, wait: Failure): Failure {
  return { ...wait, message: `Could not start within ${startDeadlineText(facts)}. ${wait.message}` };
}
