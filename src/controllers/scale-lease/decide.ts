/**
 * Brings back an app whose Restore is not there to do it: somebody took its finalizer off, or the API server came back from a
 * copy that has the Lease and not the Restore. Pure.
 *
 * The Lease is all that is left of it, and enough: it has the count, and the instant after which no runner may touch the
 * live database. An app comes back only when none can any more: see docs/decisions/101.
 */
import { instant } from '../../api/conditions.ts';
import { isAtLive } from '../../api/task.ts';
import { isCronJob, type ScalableKind } from '../../api/workloads.ts';
import { BUSY_POLL } from '../../policy/backoff.ts';
import type { Action, Decision } from '../action.ts';
import { type LeaseFacts, releaseOf } from '../leases.ts';
import { FENCE_MARGIN, fenceEndOf, fenceOf } from '../restore/facts.ts';
import { isOver, type RunFacts } from '../run-facts.ts';
import { deleteRun } from '../waiting.ts';

/** Of a Lease whose Restore is gone, or over. */
export interface ScaleLeaseFacts {
  readonly lease: LeaseFacts;
  /** Absent where the operator may not scale what the Lease names. */
  readonly workload?: { readonly resource: ScalableKind; readonly name: string };
  /** Absent where there is no such workload. Of a CronJob 0 while it is suspended, else 1. */
  readonly found?: { readonly uid: string; readonly resourceVersion: string; readonly replicas: number };
  /** What is left of the Restore's runs. */
  readonly runs: readonly RunFacts[];
  /** A Restore on its way to take the app to zero itself: it takes this Lease over, with its count. */
  readonly wantedBy?: string;
}

export function decide(facts: ScaleLeaseFacts, now: Date): Decision {
  const { lease, runs } = facts;
  const ends = runs.filter(isLate).flatMap((run) => endOf(run, lease.namespace));
  const harmless = harmlessFrom(facts);
  if (harmless === undefined || now < harmless) {
    const rest = harmless === undefined ? BUSY_POLL : harmless.getTime() - now.getTime();
    return { actions: [...ends, waits(facts, harmless)], requeueAfter: Math.min(rest, BUSY_POLL) };
  }
  if (facts.wantedBy !== undefined) return { actions: ends, requeueAfter: BUSY_POLL };
  return bringBack(facts, ends);
}

/** What a run that is at work may still do is none of anybody's wish. */
function isLate({ purpose }: RunFacts): boolean {
  return purpose === 'load' || purpose === 'check' || purpose === 'swap';
}

function endOf(run: RunFacts, namespace: string): Action[] {
  return run.state !== 'active' || run.job?.leaving === true ? [] : deleteRun(run, namespace);
}

/**
 * From when on no runner can change the live database any more; undefined while one without a fence may. Pods that were deleted
 * by force, or went with their node, leave nothing in the world but the instant in the Lease.
 */
function harmlessFrom({ lease, runs }: ScaleLeaseFacts): Date | undefined {
  const atWork = runs.filter((run) => mayTouchLive(run) && !isOver(run)).map(fenceEndOf);
  if (atWork.includes(undefined)) return undefined;
  const noted = runs.some((run) => isAccountedFor(run, lease.fence)) ? undefined : lease.fence;
  const ends = atWork.flatMap((end) => end?.getTime() ?? []);
  return new Date(Math.max(0, ...ends, noted === undefined ? 0 : noted.getTime() + FENCE_MARGIN));
}

/** Whose task cannot be read is taken for the worst. */
function mayTouchLive({ purpose, task }: RunFacts): boolean {
  return purpose === 'swap' || (purpose === 'load' && (task === undefined || isAtLive(task)));
}

/** The run that the Lease was told of, and its end was seen. */
function isAccountedFor(run: RunFacts, fence: Date | undefined): boolean {
  const own = fenceOf(run);
  if (own === undefined || fence === undefined || instant(own) !== instant(fence)) return false;
  return mayTouchLive(run) && isOver(run) && run.unaccounted !== true;
}

function waits(facts: ScaleLeaseFacts, harmless: Date | undefined): Action {
  const until = harmless === undefined ? '' : `, at the latest at ${instant(harmless)}`;
  const note = `${story(facts.lease)} It comes back as soon as no runner can change the database any more${until}.`;
  return tell(facts, 'AppWaitsForRunner', note);
}

function bringBack(facts: ScaleLeaseFacts, ends: readonly Action[]): Decision {
  const { lease, workload, found } = facts;
  if (workload === undefined)
    return {
      actions: [
        ...ends,
        tell(facts, 'WorkloadKindNotAllowed', `${story(lease)} The operator may not scale it (docs/chart.md).`),
      ],
    };
  const afterStatus = [releaseOf(lease)];
  const isAsleep = found !== undefined && found.replicas === 0;
  if (!isAsleep || lease.replicas === 0) return { actions: ends, afterStatus };
  if (lease.replicas === undefined)
    return {
      actions: [...ends, tell(facts, 'CountLost', `${story(lease)} Its Lease does not tell the count any more.`)],
    };
  const { resource, name } = workload;
  const version = { namespace: lease.namespace, name, uid: found.uid, resourceVersion: found.resourceVersion };
  const up: Action = isCronJob(resource)
    ? { action: 'suspend', ...version, suspend: false }
    : { action: 'scale', resource, ...version, replicas: lease.replicas };
  const back = isCronJob(resource) ? 'It was resumed' : `It was scaled back to ${lease.replicas}`;
  return { actions: [...ends, up, tell(facts, 'AppBroughtBack', `${story(lease)} ${back}.`)], afterStatus };
}

function story({ holder, workload = 'an app' }: LeaseFacts): string {
  return `${holder} took ${workload} to zero, and is not there any more to bring it back.`;
}

/** About the workload, where people look; else about the Lease. */
function tell({ lease, workload, found }: ScaleLeaseFacts, reason: string, note: string): Action {
  const told = { action: 'event', type: 'Warning', reason, note } as const;
  if (workload === undefined || found === undefined) return told;
  const { apiVersion, kind } = workload.resource;
  return { ...told, regarding: { apiVersion, kind, namespace: lease.namespace, name: workload.name, uid: found.uid } };
}
