import type { Ephemeral } from '../../api/drill.ts';
import type { NewJob } from '../../api/kubernetes.ts';
import type { Restore, RestoreStatus } from '../../api/restore.ts';
import type { CheckOutcome, DrillTask, ExamineResult, ExamineTask } from '../../api/task.ts';
import type { Failure } from '../../lib/errors.ts';
import { DRILL_PORT, type DrillServer } from '../../manifests/drill-pod.ts';
import { type RunnerJobRequest, runnerJob } from '../../manifests/runner-job.ts';
import { storeAccessOf, storeNeedsOf } from '../access.ts';
import type { Decision } from '../action.ts';
import { holdUpOf, isOver, newest, POD_PATIENCE, type RunFacts, resultOf, runnerLost } from '../run-facts.ts';
import { removeOlder } from '../waiting.ts';
import type { RestoreFacts } from './facts.ts';
import { refusalOf, startIsOverdue } from './refusal.ts';
import type { DrillNeeds, DrillState, RestoreState } from './state.ts';
import { progressStatus, waitingStatus } from './status.ts';

/** A look takes seconds; the rest is the time that an image may need to arrive. */
const EXAMINE_DEADLINE_SECONDS = 600;

/** `before`: where a restore stands that waits for its archive, or for the attempt after `last`; `examinable` if it waits no more. */
export function drillState(
  facts: RestoreFacts,
  now: Date,
  before: (last: RunFacts | undefined) => RestoreState,
): RestoreState {
  const { restore, runs } = facts;
  if (restore.status?.outcome !== undefined) return { state: 'ending', outcome: restore.status.outcome };
  const run = newest(runs, 'drill');
  if (run !== undefined && run.state !== 'gone') {
    if (!isOver(run)) return startIsOverdue(facts, run, now) ?? { state: 'drilling', run };
    const conclusion = conclusionOf(restore, run);
    if (conclusion !== undefined) return conclusion;
  }
  const look = newest(runs, 'examine');
  if (look === undefined || look.state === 'gone') return before(undefined);
  if (!isOver(look)) return startIsOverdue(facts, look, now) ?? { state: 'examining', run: look };
  const found = resultOf(look, 'examine');
  if (found === undefined) return finalFailureOf(look) ?? before(look);
  const refusal = refusalOf(found.refusals);
  if (refusal !== undefined) return failed(refusal);
  if (restore.spec.dryRun === true) return { state: 'concluded', outcome: { result: 'DryRun' } };
  const next = before(run);
  return next.state === 'examinable' ? { state: 'drillable', needs: next.needs, look: found } : next;
}

/** What a drill that has ended comes to; undefined where it may be tried again. */
function conclusionOf(restore: Restore, run: RunFacts): RestoreState | undefined {
  const result = resultOf(run, 'drill');
  if (result === undefined) {
    if (run.report !== undefined) return finalFailureOf(run);
    return failed(runnerLost(run, restore.metadata.namespace));
  }
  const broken = result.checks.filter(({ passed }) => !passed);
  if (broken.length > 0) return failed(checkFailed(restore, broken));
  return { state: 'concluded', outcome: { result: 'Drilled' } };
}

function finalFailureOf({ report }: RunFacts): RestoreState | undefined {
  return report === undefined || report.ok || report.retry ? undefined : failed(report.failure);
}

const failed = (failure: Failure): RestoreState => ({ state: 'concluded', outcome: { result: 'Failed', failure } });

function checkFailed(restore: Restore, broken: readonly CheckOutcome[]): Failure {
  const told = broken.map(({ name, found }) => {
    const expected = restore.spec.checks?.find((check) => check.name === name)?.expect;
    return `${name} (${found === undefined ? 'not as expected' : `expected ${expected}, found ${found}`})`;
  });
  return {
    reason: 'CheckFailed',
    message: `The archive was restored, and is not what was wanted: ${told.join('; ')}`,
    hint: 'Look at the database that was backed up, or correct the check. To look at what is in the archive, restore it under another name: target.postgresql.database.',
  };
}

/** The next step of a drill. A crash between Job and status leaves the Job, which the next look finds. */
export function drillStep(facts: RestoreFacts, found: DrillState, now: Date): Decision<RestoreStatus> {
  switch (found.state) {
    case 'examinable':
      return start(facts, 'Resolving', examineJob(facts, found.needs), now);
    case 'drillable':
      return start(facts, 'Loading', drillJob(facts, found, now), now);
    case 'examining':
    case 'drilling':
      return {
        actions: [],
        status: progressStatus(
          facts,
          {
            phase: found.state === 'examining' ? 'Resolving' : 'Loading',
            jobName: found.run.name,
            trouble: holdUpOf(found.run, now),
            story: STORIES[found.state],
          },
          now,
        ),
        requeueAfter: POD_PATIENCE,
      };
    default:
      return found satisfies never;
  }
}

const STORIES = {
  examining: 'a Job looks at the archive',
  drilling: 'a Job restores the archive into a server of its own',
} as const;

function start(facts: RestoreFacts, phase: 'Resolving' | 'Loading', job: NewJob, now: Date): Decision<RestoreStatus> {
  const { restore, runs } = facts;
  const purpose = phase === 'Resolving' ? 'examine' : 'drill';
  const earlier = runs.filter((run) => run.purpose === purpose);
  const story = STORIES[phase === 'Resolving' ? 'examining' : 'drilling'];
  return {
    actions: [{ action: 'createJob', job }, ...removeOlder(earlier, restore.metadata.namespace)],
    status: progressStatus(facts, { phase, jobName: job.metadata.name, story, begins: true }, now),
    statusOnFailure: (failure) => waitingStatus(facts, failure, now),
  };
}

function examineJob(facts: RestoreFacts, needs: DrillNeeds): NewJob {
  const task = { command: 'examine', ...baseOf(facts, needs) } as const;
  return jobOf(facts, needs, { purpose: 'examine', task, activeDeadlineSeconds: EXAMINE_DEADLINE_SECONDS });
}

function drillJob(facts: RestoreFacts, { needs, look }: DrillState & { state: 'drillable' }, now: Date): NewJob {
  const { spec } = facts.restore;
  const seconds = spec.activeDeadlineSeconds ?? 86_400;
  const task = {
    command: 'drill',
    ...baseOf(facts, needs),
    port: DRILL_PORT,
    checks: spec.checks ?? [],
    notAfter: new Date(now.getTime() + seconds * 1000).toISOString(),
  } as const;
  return jobOf(facts, needs, {
    purpose: 'drill',
    task,
    activeDeadlineSeconds: seconds,
    server: serverFor(facts, look),
  });
}

function jobOf(
  { restore, runs, settings }: RestoreFacts,
  { identity }: DrillNeeds,
  request: Pick<RunnerJobRequest, 'task' | 'activeDeadlineSeconds' | 'server'> & {
    readonly purpose: 'examine' | 'drill';
    readonly task: ExamineTask | DrillTask;
  },
): NewJob {
  const { name, namespace, uid } = restore.metadata;
  const store = storeNeedsOf(request.task.store);
  return runnerJob({
    ...request,
    owner: { kind: 'Restore', name, namespace, uid },
    attempt: (newest(runs, request.purpose)?.attempt ?? 0) + 1,
    ...store,
    secrets: { ...store.secrets, identity: identity.secret },
    settings: settings.runner,
  });
}

function baseOf(
  { restore, settings }: RestoreFacts,
  { source, store, identity }: DrillNeeds,
): Omit<ExamineTask, 'command'> {
  const { namespace, name, uid } = restore.metadata;
  const { path, digest, cluster } = source;
  const { database } = restore.spec.from;
  return {
    run: { cluster: settings.clusterName, namespace, name, uid },
    store: storeAccessOf(store),
    archive: { folder: path, manifestDigest: digest, cluster, namespace: source.namespace },
    ...(database === undefined ? {} : { fromDatabase: database }),
    identity,
  };
}

function serverFor({ restore, settings }: RestoreFacts, { major, bytesNeeded }: ExamineResult): DrillServer {
  const { image, storage, resources } = restore.spec.target?.ephemeral ?? {};
  const { runAsUser } = settings.drill;
  return {
    image: image ?? settings.drill.image.replaceAll('{major}', String(major)),
    bytes: bytesNeeded,
    ...(runAsUser === undefined ? {} : { runAsUser }),
    ...(storage === undefined ? {} : { sizeLimit: String(storage.size) }),
    ...(resources === undefined ? {} : { resources: resourcesOf(resources) }),
  };
}

/** As text, which Kubernetes makes of numbers too. */
function resourcesOf({ requests, limits }: NonNullable<Ephemeral['resources']>): NonNullable<DrillServer['resources']> {
  const text = (amounts: object) =>
    Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, String(amount)]));
  return {
    ...(requests === undefined ? {} : { requests: text(requests) }),
    ...(limits === undefined ? {} : { limits: text(limits) }),
  };
}
