import { type ConditionReport, instant, summarise } from '../../api/conditions.ts';
import type { RestoreStatus } from '../../api/restore.ts';
import type { CleanupResult, PlanResult, RestoreResult } from '../../api/task.ts';
import type { Failure } from '../../lib/errors.ts';
import { said } from '../waiting.ts';
import { type Outcome, type RestoreFacts, takenWorkloads } from './facts.ts';
import type { Conclusion } from './states.ts';

export function waitingStatus(facts: RestoreFacts, failure: Failure, now: Date): RestoreStatus {
  return compose(facts, now, { phase: 'Pending', failure }, inProgress(said(failure)));
}

export function pinnedStatus(
  facts: RestoreFacts,
  pin: { backup: { metadata: { uid: string } }; path: string; digest: string },
  now: Date,
): RestoreStatus {
  const resolved = { backupUID: pin.backup.metadata.uid, path: pin.path, digest: pin.digest, time: instant(now) };
  return compose(facts, now, { phase: 'Resolving', resolved, startTime: instant(now) }, inProgress(STORIES.Resolving));
}

const STORIES = {
  Resolving: { reason: 'Resolving', message: 'a Job looks at the archive and at the target' },
  Quiescing: { reason: 'Quiescing', message: 'the app is being scaled to zero' },
  Loading: {
    reason: 'Loading',
    message: 'a Job loads the archive into a scratch database and puts it in the place of the live one',
  },
  Resuming: { reason: 'Resuming', message: 'the app is being brought back' },
} as const;

export interface Progress {
  readonly phase: keyof typeof STORIES;
  readonly plan?: PlanResult | undefined;
  readonly attempts?: number;
  readonly jobName?: string;
  readonly trouble?: Failure | undefined;
  /** What is not at rest yet. */
  readonly waitsFor?: readonly string[];
}

export function progressStatus(facts: RestoreFacts, progress: Progress, now: Date): RestoreStatus {
  const { phase, plan, attempts, jobName, trouble, waitsFor } = progress;
  const story =
    trouble !== undefined
      ? said(trouble)
      : waitsFor === undefined
        ? STORIES[phase]
        : { ...STORIES[phase], message: `waiting for ${waitsFor.join(', ')}` };
  const own: RestoreStatus = {
    phase,
    ...(plan === undefined ? {} : { plan: planOf(plan) }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(jobName === undefined ? {} : { jobName }),
    ...(trouble === undefined ? {} : { failure: trouble }),
  };
  return compose(facts, now, own, [...inProgress(story), ...quiesced(facts, phase)]);
}

export function concludedStatus(facts: RestoreFacts, outcome: Conclusion, now: Date): RestoreStatus {
  const own: RestoreStatus = { phase: 'Resuming', outcome: { ...outcome, time: instant(now) } };
  return compose(facts, now, own, inProgress(STORIES.Resuming));
}

export interface Findings {
  readonly cleanup: CleanupResult | undefined;
  /** The target did not answer: scratch may be left. */
  readonly gaveUp: boolean;
  readonly load: RestoreResult | undefined;
}

export function terminalStatus(facts: RestoreFacts, outcome: Outcome, findings: Findings, now: Date): RestoreStatus {
  const { cleanup, load } = findings;
  const wentLive = outcome.result === 'Restored' || outcome.result === 'AlreadyRestored' || cleanup?.restored === true;
  const failure = outcome.failure ?? { reason: 'RunnerLost', message: 'The runner ended without a report.' };
  if (!wentLive) return failedStatus(facts, findings.gaveUp ? withLitter(failure) : failure, now);
  const previousDatabase =
    load?.previousDatabase ?? cleanup?.previousDatabase ?? facts.restore.status?.previousDatabase;
  const previousDatabases =
    load?.previousDatabases ?? cleanup?.previousDatabases ?? facts.restore.status?.previousDatabases ?? [];
  const result = outcome.result === 'AlreadyRestored' ? 'AlreadyRestored' : 'Restored';
  const own: RestoreStatus = {
    phase: 'Complete',
    completionTime: instant(now),
    outcome: { result, time: outcome.time },
    ...(previousDatabase === undefined ? {} : { previousDatabase }),
    ...(previousDatabases.length === 0 ? {} : { previousDatabases: [...previousDatabases] }),
  };
  return compose(facts, now, own, [
    { type: 'Complete', status: 'True', reason: result, message: COMPLETE_MESSAGES[result] },
  ]);
}

const COMPLETE_MESSAGES = {
  Restored: 'the restored database is live',
  AlreadyRestored:
    'this very Restore (namespace, name and spec) was live before, so nothing was done. To restore again, make a Restore with another metadata.name.',
} as const;

function failedStatus(facts: RestoreFacts, failure: Failure, now: Date): RestoreStatus {
  const outcome = { result: 'Failed', time: facts.restore.status?.outcome?.time ?? instant(now), failure } as const;
  return compose(facts, now, { phase: 'Failed', completionTime: instant(now), outcome, failure }, [
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
  return {
    ...past,
    ...own,
    ...(scaledWorkloads.length === 0 ? {} : { scaledWorkloads }),
    observedGeneration: generation,
    conditions: summarise(conditions, reports, generation, now),
  };
}

type ScaledWorkload = NonNullable<RestoreStatus['scaledWorkloads']>[number];

/** What is taken now, and what was taken and is back. */
function scaled(facts: RestoreFacts): ScaledWorkload[] {
  const taken = takenWorkloads(facts);
  const before = facts.restore.status?.scaledWorkloads ?? [];
  return facts.workloads.flatMap(({ workload, found }): ScaledWorkload[] => {
    const { kind, name } = workload;
    const now = taken.find((each) => each.workload === workload);
    const then = before.find((entry) => entry.kind === kind && entry.name === name);
    if (now === undefined) return then === undefined ? [] : [{ ...then, restored: true }];
    return [{ kind, name, uid: found?.uid ?? then?.uid ?? '', replicas: now.lease.replicas ?? 0, restored: false }];
  });
}

function planOf(plan: PlanResult): NonNullable<RestoreStatus['plan']> {
  const { server, databaseExists, objects, bytesNeeded, notes } = plan;
  return { server, databaseExists, objects, bytesNeeded, ...(notes === undefined ? {} : { notes: [...notes] }) };
}

function quiesced(facts: RestoreFacts, phase: Progress['phase']): ConditionReport[] {
  if (facts.workloads.length === 0 || phase === 'Resolving') return [];
  const atRest = facts.workloads.every(
    ({ found }) => found === undefined || (found.replicas === 0 && found.pods.length === 0),
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
