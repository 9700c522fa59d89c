import type { BackupStore, BackupStoreStatus } from '../../api/backup-store.ts';
import { type ConditionReport, instant, isTrue, summarise } from '../../api/conditions.ts';
import { ANNOTATIONS, shortHash } from '../../api/names.ts';
import type { ProbeResult } from '../../api/task.ts';
import type { Failure } from '../../lib/errors.ts';
import { runnerJob } from '../../manifests/runner-job.ts';
import { backoff } from '../../policy/backoff.ts';
import { storeAccessOf, storeNeedsOf } from '../access.ts';
import type { Action, Decision } from '../action.ts';
import { holdUpOf, isOver, newest, POD_PATIENCE, type RunFacts, resultOf } from '../run-facts.ts';
import type { Settings } from '../settings.ts';
import { said } from '../waiting.ts';

export interface BackupStoreFacts {
  readonly store: BackupStore;
  /** Probes, oldest first. */
  readonly runs: readonly RunFacts[];
  /** Hash of the spec that each run probes, by the run's name. */
  readonly probed: ReadonlyMap<string, string>;
  readonly settings: Settings;
}

/** How often a store that works is tried again. */
const CHECK_INTERVAL = 3_600_000;

/** A probe talks to the store for a few seconds; the rest is the time that an image may need to arrive. */
const PROBE_DEADLINE_SECONDS = 300;

/**
 * - `unprobed`: nothing is known of this spec; a probe must start.
 * - `probing`: a probe is at work.
 * - `answered`: the newest probe of this spec ended.
 */
type StoreState =
  | { readonly state: 'unprobed' }
  | { readonly state: 'probing'; readonly run: RunFacts }
  | { readonly state: 'answered'; readonly run: RunFacts; readonly answer: ProbeResult | Failure };

function stateOf(facts: BackupStoreFacts): StoreState {
  const run = newest(facts.runs, 'probe');
  if (run === undefined || run.state === 'gone' || facts.probed.get(run.name) !== specHash(facts.store))
    return { state: 'unprobed' };
  if (!isOver(run)) return { state: 'probing', run };
  return { state: 'answered', run, answer: answerOf(run) };
}

export function decide(facts: BackupStoreFacts, now: Date): Decision<BackupStoreStatus> {
  const found = stateOf(facts);
  switch (found.state) {
    case 'unprobed':
      return probe(facts, now);
    case 'probing':
      return {
        actions: [],
        status: statusOf(facts, probingReport(facts, holdUpOf(found.run, now)), now),
        requeueAfter: POD_PATIENCE,
      };
    case 'answered':
      return answered(facts, found.run, found.answer, now);
    default:
      return found satisfies never;
  }
}

/** Makes the next probe, and removes the earlier ones: their answer is in the status. */
function probe(
  facts: BackupStoreFacts,
  now: Date,
  report = probingReport(facts, undefined),
  checked?: Checked,
): Decision<BackupStoreStatus> {
  const attempt = (facts.runs.at(-1)?.attempt ?? 0) + 1;
  const { store, settings } = facts;
  const access = storeAccessOf(store);
  const job = runnerJob({
    owner: {
      kind: 'BackupStore',
      name: store.metadata.name,
      namespace: store.metadata.namespace,
      uid: store.metadata.uid,
    },
    purpose: 'probe',
    attempt,
    task: { command: 'probe', store: access },
    ...storeNeedsOf(access),
    settings: settings.runner,
    activeDeadlineSeconds: PROBE_DEADLINE_SECONDS,
    annotations: { [ANNOTATIONS.specHash]: specHash(store) },
  });
  const removals = facts.runs.flatMap((run): Action[] =>
    run.job === undefined
      ? []
      : [{ action: 'deleteJob', namespace: store.metadata.namespace, name: run.name, uid: run.job.uid }],
  );
  return {
    actions: [{ action: 'createJob', job }, ...removals],
    status: statusOf(facts, report, now, checked),
    statusOnFailure: (failure) => statusOf(facts, brokenReport(failure), now),
  };
}

interface Checked {
  readonly time: Date;
  readonly conditionalWrites?: boolean;
}

/** Takes the answer down, and says when the store is tried again: hourly while it works, by back-off while it does not. */
function answered(
  facts: BackupStoreFacts,
  run: RunFacts,
  answer: ProbeResult | Failure,
  now: Date,
): Decision<BackupStoreStatus> {
  const ended = run.ended ?? now;
  const report = 'reason' in answer ? brokenReport(answer) : READY;
  const checked: Checked = {
    time: ended,
    ...('reason' in answer ? {} : { conditionalWrites: answer.conditionalWrites }),
  };
  const since = facts.store.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  const pause = 'reason' in answer ? backoff(since === undefined ? ended : new Date(since), ended) : CHECK_INTERVAL;
  const due = ended.getTime() + pause;
  if (now.getTime() >= due) return probe(facts, now, report, checked);
  return { actions: [], status: statusOf(facts, report, now, checked), requeueAfter: due - now.getTime() };
}

const READY: ConditionReport = {
  type: 'Ready',
  status: 'True',
  reason: 'Usable',
  message: 'the bucket was written to and read from',
};

function brokenReport(failure: Failure): ConditionReport {
  return { type: 'Ready', status: 'False', ...said(failure) };
}

/** While a new answer is on its way the old one stands, as long as it speaks of this spec. */
function probingReport(facts: BackupStoreFacts, trouble: Failure | undefined): ConditionReport {
  const { status, metadata } = facts.store;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready !== undefined && ready.status !== 'Unknown' && ready.observedGeneration === metadata.generation) {
    return { type: 'Ready', status: ready.status, reason: ready.reason, message: ready.message };
  }
  return trouble === undefined
    ? { type: 'Ready', status: 'Unknown', reason: 'Probing', message: 'a Job is trying the store' }
    : { ...brokenReport(trouble), status: 'Unknown' };
}

function answerOf(run: RunFacts): ProbeResult | Failure {
  const result = resultOf(run, 'probe');
  if (result !== undefined) return result;
  const report = run.report;
  if (report !== undefined && !report.ok) return report.failure;
  return (
    run.trouble ?? {
      reason: 'RunnerLost',
      message: 'The probe ended without a report.',
      hint: 'kubectl describe job tells more.',
    }
  );
}

function statusOf(facts: BackupStoreFacts, report: ConditionReport, now: Date, checked?: Checked): BackupStoreStatus {
  const { metadata, spec, status } = facts.store;
  const generation = metadata.generation ?? 0;
  // A store that does not work is tried again by itself: kstatus must not take it for settled.
  const working: ConditionReport = { ...report, type: 'Reconciling', status: 'True' };
  const reports = report.status === 'True' ? [report] : [report, working];
  const time = checked === undefined ? status?.lastCheckTime : instant(checked.time);
  const conditionalWrites = checked?.conditionalWrites ?? status?.conditionalWrites;
  return {
    observedGeneration: generation,
    resolvedEndpoint: storeAccessOf({ ...facts.store, spec }).endpoint,
    ...(time === undefined ? {} : { lastCheckTime: time }),
    ...(conditionalWrites === undefined ? {} : { conditionalWrites }),
    conditions: summarise(status?.conditions, reports, generation, now),
  };
}

export function specHash(store: BackupStore): string {
  return shortHash([JSON.stringify(storeAccessOf(store))]);
}

/** Whether backups may go to the store: it was tried in its present form and worked. */
export function isUsable(store: BackupStore): boolean {
  const ready = store.status?.conditions?.find(({ type }) => type === 'Ready');
  return isTrue(store.status?.conditions, 'Ready') && ready?.observedGeneration === store.metadata.generation;
}
