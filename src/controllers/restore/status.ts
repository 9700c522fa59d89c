import { type ConditionReport, instant, summarise } from '../../api/conditions.ts';
import { isForceable, isForced } from '../../api/force.ts';
import { scratchDatabaseName } from '../../api/names.ts';
import { isDrill, type RestoreStatus } from '../../api/restore.ts';
import type { CleanupResult, PlanResult, SwapResult } from '../../api/task.ts';
import type { Failure } from '../../lib/errors.ts';
import { newest, resultOf } from '../run-facts.ts';
import { said } from '../waiting.ts';
import { contestReport, workloadRefusals, workloadWarnings } from './contest.ts';
import { drilledFields } from './drilled.ts';
import {
  keepsScratch,
  lateRunsOf,
  notedWorkload,
  type Outcome,
  type RestoreFacts,
  type ScaledWorkload,
  takenWorkloads,
} from './facts.ts';
import { notedTarget } from './noted-target.ts';
import { checksInPlace } from './refusal.ts';
import { forcedSafety, notedSafetyBackup, safetyNotes } from './safety.ts';
import type { Pin, Undoes } from './source.ts';
import type { Conclusion } from './state.ts';
import { unseenOf } from './workload-facts.ts';

export function waitingStatus(facts: RestoreFacts, failure: Failure, now: Date): RestoreStatus {
  return compose(facts, now, { phase: 'Pending', failure }, inProgress(said(failure)));
}

export function pinnedStatus(facts: RestoreFacts, pin: Pin | Undoes, now: Date): RestoreStatus {
  if ('restore' in pin) {
    const story = { ...STORIES.Resolving, message: `what Restore ${pin.restore} replaced is looked for` };
    return compose(facts, now, { phase: 'Resolving', undoes: pin, ...begun(facts, now) }, inProgress(story));
  }
  const what = pin.backup === undefined ? `the archive ${pin.path}` : `Backup ${pin.backup}`;
  const story = { ...STORIES.Resolving, message: `${what} was chosen; its data is of ${pin.time}` };
  return compose(facts, now, { phase: 'Resolving', resolved: pin, ...begun(facts, now) }, inProgress(story));
}

/** While a Job reads the manifest of an archive that was named by its path. */
export function askingStatus(
  facts: RestoreFacts,
  asked: { readonly jobName: string; readonly trouble?: Failure | undefined },
  now: Date,
): RestoreStatus {
  const { jobName, trouble } = asked;
  const story =
    trouble === undefined ? { ...STORIES.Resolving, message: 'a Job reads what the archive is' } : said(trouble);
  const own: RestoreStatus = {
    phase: 'Resolving',
    jobName,
    ...begun(facts, now),
    ...(trouble === undefined ? {} : { failure: trouble }),
  };
  return compose(facts, now, own, inProgress(story));
}

function begun({ restore }: RestoreFacts, now: Date): Pick<RestoreStatus, 'startTime'> {
  return { startTime: restore.status?.startTime ?? instant(now) };
}

const STORIES = {
  Resolving: { reason: 'Resolving', message: 'a Job looks at the archive and at the target' },
  SafetyBackup: { reason: 'SafetyBackup', message: 'a Backup of what is live now is made, before anything is touched' },
  Quiescing: { reason: 'Quiescing', message: 'the app is being scaled to zero' },
  Loading: { reason: 'Loading', message: 'a Job loads the archive into a scratch database' },
  Checking: { reason: 'Checking', message: 'a Job asks the restored database what spec.checks wants to know' },
  Swapping: { reason: 'Swapping', message: 'a Job puts the restored database in the place of the live one' },
  Resuming: { reason: 'Resuming', message: 'the app is being brought back' },
} as const;

export interface Progress {
  readonly phase: keyof typeof STORIES;
  readonly plan?: PlanResult | undefined;
  /** That nothing is saved beforehand, which `force` takes on from now. */
  readonly unsaved?: Failure;
  readonly attempts?: number;
  readonly jobName?: string;
  readonly trouble?: Failure | undefined;
  /** What is not at rest yet. */
  readonly waitsFor?: readonly string[];
  /** In place of what is said of the phase. */
  readonly story?: string;
  /** Whether work on the archive begins. */
  readonly begins?: true;
}

export function progressStatus(facts: RestoreFacts, progress: Progress, now: Date): RestoreStatus {
  const { phase, plan, unsaved, attempts, jobName, trouble, waitsFor, story: told, begins } = progress;
  const story =
    trouble !== undefined
      ? said(trouble)
      : waitsFor === undefined
        ? { ...STORIES[phase], ...(told === undefined ? {} : { message: told }) }
        : { ...STORIES[phase], message: `waiting for ${waitsFor.join(', ')}` };
  const own: RestoreStatus = {
    phase,
    ...(plan === undefined ? {} : { plan: planOf(facts, plan, unsaved) }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(jobName === undefined ? {} : { jobName }),
    ...(begins === undefined ? {} : begun(facts, now)),
    ...(trouble === undefined ? {} : { failure: trouble }),
  };
  return compose(facts, now, own, [...inProgress(story), ...quiesced(facts, phase)]);
}

export function concludedStatus(facts: RestoreFacts, outcome: Conclusion, now: Date): RestoreStatus {
  const own: RestoreStatus = { phase: 'Resuming', outcome: { ...outcome, time: instant(now) }, ...refusedPlan(facts) };
  return compose(facts, now, own, inProgress(endOf(facts)));
}

/** On the way to the end, once the outcome is written down, or the Restore is being deleted. */
export function resumingStatus(facts: RestoreFacts, trouble: Failure | undefined, now: Date): RestoreStatus {
  return progressStatus(facts, { phase: 'Resuming', trouble, story: endOf(facts).message }, now);
}

function endOf(facts: RestoreFacts): { readonly reason: string; readonly message: string } {
  if (isDrill(facts.restore)) return { reason: 'Ending', message: 'the drill has ended' };
  if (takenWorkloads(facts).length > 0) return STORIES.Resuming;
  return { ...STORIES.Resuming, message: 'no app is at zero; what is left of the restore goes' };
}

/** Where the plan is the last word, it is told with the outcome. */
function refusedPlan(facts: RestoreFacts): Pick<RestoreStatus, 'plan'> {
  const plan = lateRunsOf(facts).length > 0 ? undefined : resultOf(newest(facts.runs, 'plan'), 'plan');
  return plan === undefined ? {} : { plan: planOf(facts, plan) };
}

export interface Findings {
  readonly cleanup: CleanupResult | undefined;
  /** The target did not answer: scratch may be left. */
  readonly gaveUp: boolean;
  readonly swapped: SwapResult | undefined;
}

export function terminalStatus(facts: RestoreFacts, outcome: Outcome, findings: Findings, now: Date): RestoreStatus {
  const { cleanup, swapped } = findings;
  const wentLive = outcome.result === 'Restored' || outcome.result === 'AlreadyRestored' || cleanup?.restored === true;
  if (outcome.result === 'DryRun') return triedStatus(facts, outcome, now);
  if (outcome.result === 'Drilled') return drilledStatus(facts, outcome, now);
  const failure = outcome.failure ?? { reason: 'RunnerLost', message: 'The runner ended without a report.' };
  if (!wentLive) return failedStatus(facts, findings.gaveUp ? withLitter(failure) : failure, now);
  const previousDatabase =
    swapped?.previousDatabase ?? cleanup?.previousDatabase ?? facts.restore.status?.previousDatabase;
  const previousDatabases =
    swapped?.previousDatabases ?? cleanup?.previousDatabases ?? facts.restore.status?.previousDatabases ?? [];
  const { result, message } = endedWell(facts, outcome, swapped);
  const own: RestoreStatus = {
    phase: 'Complete',
    completionTime: instant(now),
    outcome: { result, time: outcome.time },
    ...(previousDatabase === undefined ? {} : { previousDatabase }),
    ...(previousDatabases.length === 0 ? {} : { previousDatabases: [...previousDatabases] }),
    ...objectsOf(swapped),
  };
  return compose(facts, now, own, [{ type: 'Complete', status: 'True', reason: result, message }]);
}

interface GoodEnd {
  readonly result: 'Restored' | 'AlreadyRestored' | 'NothingRestored';
  readonly message: string;
}

/** What joined a live database took nobody's place, and it may be nothing at all. */
function endedWell({ restore }: RestoreFacts, { result }: Outcome, swapped: SwapResult | undefined): GoodEnd {
  if (result === 'AlreadyRestored') return { result, message: ALREADY_RESTORED };
  const { objects } = swapped ?? {};
  if (objects === undefined) {
    const message =
      restore.status?.plan?.inPlace === true
        ? 'what was restored is in the live database; the report of what was added is lost'
        : 'the restored database is live';
    return { result: 'Restored', message };
  }
  const { addedCount: added, replacedCount: replaced, keptCount: kept } = objects;
  const stayed = `${kept} stayed as they were`;
  if (added === 0 && replaced === 0) {
    const message = `nothing was restored: none added, none replaced, ${stayed}, since they were there already. To put what is in the archive in their place, make a Restore with onConflict: Replace and another metadata.name.`;
    return { result: 'NothingRestored', message };
  }
  const counts = `${added} added, ${replaced === 0 ? 'none' : replaced} replaced, ${stayed}`;
  return { result: 'Restored', message: `what was restored is in the live database: ${counts}` };
}

const ALREADY_RESTORED =
  'this very Restore (namespace, name and spec) was live before, so nothing was done. To restore again, make a Restore with another metadata.name.';

function objectsOf(swapped: SwapResult | undefined): Pick<RestoreStatus, 'objects'> {
  if (swapped?.objects === undefined) return {};
  const { added, kept, replaced, ...counts } = swapped.objects;
  return { objects: { ...counts, added: [...added], kept: [...kept], replaced: [...replaced] } };
}

/** Nothing was touched, so there is nothing to find out. */
function triedStatus(facts: RestoreFacts, outcome: Outcome, now: Date): RestoreStatus {
  const own: RestoreStatus = { phase: 'Complete', completionTime: instant(now), outcome };
  const message = 'a dry run: nothing stands in the way, status.plan says what would happen, and nothing was touched';
  return compose(facts, now, own, [{ type: 'Complete', status: 'True', reason: 'DryRun', message }]);
}

function drilledStatus(facts: RestoreFacts, outcome: Outcome, now: Date): RestoreStatus {
  const own: RestoreStatus = { phase: 'Complete', completionTime: instant(now), outcome };
  const { drill } = { ...facts.restore.status, ...drilledFields(facts) };
  const counted = drill === undefined ? '' : `: ${drill.rows} rows in ${drill.tables} tables, within ${drill.duration}`;
  const message = `the archive was restored into a server of its own, which is gone with it${counted}`;
  return compose(facts, now, own, [{ type: 'Complete', status: 'True', reason: 'Drilled', message }]);
}

function failedStatus(facts: RestoreFacts, failure: Failure, now: Date): RestoreStatus {
  const outcome = { result: 'Failed', time: facts.restore.status?.outcome?.time ?? instant(now), failure } as const;
  const own: RestoreStatus = {
    phase: 'Failed',
    completionTime: instant(now),
    outcome,
    failure,
    ...(keepsScratch(facts.restore) ? { scratchDatabase: scratchDatabaseName(facts.restore.metadata) } : {}),
  };
  return compose(facts, now, own, [
    { type: 'Complete', status: 'False', ...said(failure) },
    { type: 'Failed', status: 'True', ...said(failure) },
    { type: 'Stalled', status: 'True', ...said(failure) },
  ]);
}

function withLitter(failure: Failure): Failure {
  const litter =
    'The target did not answer afterwards, so a database named holdfast_scratch_… may be left on it: drop it when nothing restores.';
  return { ...failure, hint: failure.hint === undefined ? litter : `${failure.hint} ${litter}` };
}

/** Facts of the past stay; the failure is of this moment only. */
function compose(
  facts: RestoreFacts,
  now: Date,
  own: RestoreStatus,
  reports: readonly ConditionReport[],
): RestoreStatus {
  const { status, metadata } = facts.restore;
  const generation = metadata.generation ?? 0;
  const { conditions, failure: _, phase: __, ...past } = status ?? {};
  const scaledWorkloads = scaled(facts);
  const asked = resultOf(newest(facts.runs, 'check'), 'check');
  return {
    ...past,
    ...(facts.target === undefined ? {} : { target: notedTarget(facts.target) }),
    ...own,
    ...notedSafetyBackup(facts),
    ...(asked === undefined ? {} : { checks: [...asked.checks] }),
    ...drilledFields(facts),
    ...(scaledWorkloads.length === 0 ? {} : { scaledWorkloads }),
    observedGeneration: generation,
    conditions: summarise(
      conditions,
      [...reports, ...forcedReports(own.plan ?? past.plan), ...contested(facts)],
      generation,
      now,
    ),
  };
}

/** What a person took on is said for as long as the plan is there to read. */
function forcedReports(plan: RestoreStatus['plan']): ConditionReport[] {
  const forced = (plan?.refusals ?? []).filter((refusal) => refusal.forced);
  if (forced.length === 0) return [];
  const message = forced.map(({ reason, message }) => `${reason}: ${message}`).join('; ');
  return [{ type: 'Forced', status: 'True', reason: 'RefusalsForced', message: `spec.force takes on ${message}` }];
}

/** What the Lease remembers; when it is gone, what was said of it. */
function contested(facts: RestoreFacts): ConditionReport[] {
  const now = contestReport(facts);
  if (now !== undefined) return [now];
  const before = facts.restore.status?.conditions?.find(({ type }) => type === 'ScaleContested');
  if (before === undefined) return [];
  const { status, reason, message } = before;
  return [{ type: 'ScaleContested', status, reason, message }];
}

/** What is taken now, and what was taken and is back. */
function scaled(facts: RestoreFacts): ScaledWorkload[] {
  const taken = takenWorkloads(facts);
  return facts.workloads.flatMap(({ workload, found }): ScaledWorkload[] => {
    const { apiVersion = 'apps/v1', kind, name } = workload;
    const now = taken.find((each) => each.workload === workload);
    const then = notedWorkload(facts.restore, workload);
    // Without its Lease and at zero: somebody removed the Lease, and what is said here is all that remembers the count.
    const isLost = found?.replicas === 0 && (then?.replicas ?? 0) > 0 && then?.restored === false;
    if (now === undefined) return then === undefined ? [] : [{ ...then, apiVersion, restored: !isLost }];
    return [
      {
        apiVersion,
        kind,
        name,
        uid: found?.uid ?? then?.uid ?? '',
        replicas: now.lease.replicas ?? then?.replicas ?? 0,
        restored: false,
      },
    ];
  });
}

function planOf(
  facts: RestoreFacts,
  plan: PlanResult,
  unsaved = forcedSafety(facts),
): NonNullable<RestoreStatus['plan']> {
  const { server, databaseExists, objects, bytesNeeded, compatibility = [] } = plan;
  const notes = [...(plan.notes ?? []), ...safetyNotes(facts, plan, unsaved)];
  const warnings = [...new Set([...(plan.warnings ?? []), ...warningsOf(facts)])];
  const refusals = planRefusals(facts, plan, unsaved === undefined ? [] : [unsaved]);
  return {
    server,
    databaseExists,
    objects,
    bytesNeeded,
    ...(plan.inPlace === true ? { inPlace: true } : {}),
    ...(compatibility.length === 0 ? {} : { compatibility: [...compatibility] }),
    ...(refusals.length === 0 ? {} : { refusals }),
    ...(notes.length === 0 ? {} : { notes }),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

type PlanRefusal = NonNullable<NonNullable<RestoreStatus['plan']>['refusals']>[number];

/** What the runner found, and what is said of the workloads before the first of them is touched. */
function planRefusals(facts: RestoreFacts, plan: PlanResult, unsaved: readonly Failure[]): PlanRefusal[] {
  const { force } = facts.restore.spec;
  const ofWorkloads = takenWorkloads(facts).length > 0 ? [] : workloadRefusals(facts);
  const ofChecks = checksInPlace(facts.restore.spec, plan);
  return [...plan.refusals, ...ofChecks, ...ofWorkloads, ...unsaved].map((refusal) => ({
    ...refusal,
    forceable: isForceable(refusal.reason),
    forced: isForced(refusal.reason, force),
  }));
}

/** Once an app is at zero nobody else writes its count any more: what was said before stays. */
function warningsOf(facts: RestoreFacts): string[] {
  const said = facts.restore.status?.plan?.warnings ?? [];
  return takenWorkloads(facts).length === 0 ? workloadWarnings(facts) : [...said];
}

function quiesced(facts: RestoreFacts, phase: Progress['phase']): ConditionReport[] {
  if (facts.workloads.length === 0 || phase === 'Resolving' || phase === 'SafetyBackup') return [];
  const unseen = facts.workloads.flatMap((each) => unseenOf(each) ?? [])[0];
  if (unseen !== undefined) return [{ type: 'Quiesced', status: 'False', ...said(unseen) }];
  const atRest = facts.workloads.every(
    ({ found }) =>
      found === undefined ||
      (found.replicas === 0 && found.pods.length === 0 && (found.left ?? 0) === 0 && (found.jobs ?? []).length === 0),
  );
  return [
    {
      type: 'Quiesced',
      status: atRest ? 'True' : 'False',
      reason: atRest ? 'AtRest' : phase,
      message: atRest ? 'every workload is at zero and its pods are gone' : 'pods of the app are there',
    },
  ];
}

function inProgress(story: { readonly reason: string; readonly message: string }): ConditionReport[] {
  return [
    { type: 'Complete', status: 'False', ...story },
    { type: 'Reconciling', status: 'True', ...story },
  ];
}
