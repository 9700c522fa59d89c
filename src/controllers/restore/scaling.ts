/**
 * How an app is kept at zero for a restore, and brought back. Pure.
 *
 * The Lease of a workload is lock and memory at once, and it is written before the count is touched:
 *
 * - created with the count to return to; then the count goes to zero; then `at-zero` is noted;
 * - `at-zero` noted and a count above zero: somebody else wrote it since. Theirs is remembered, `at-zero` is taken off, the
 *   contest is counted, all in one write; then the count goes to zero again, and `at-zero` is noted again.
 *
 * A crash after the first write leaves a workload that still has to go to zero, and it goes without being counted twice; a
 * crash after the second leaves one at zero without the note, and the next look writes it.
 */
import { instant } from '../../api/conditions.ts';
import { ANNOTATIONS, scaleLeaseName } from '../../api/names.ts';
import type { Restore, Workload } from '../../api/restore.ts';
import { isAtLive } from '../../api/task.ts';
import { isCronJob, workloadTitle } from '../../api/workloads.ts';
import { formatDuration, parseDuration } from '../../lib/duration.ts';
import type { Failure } from '../../lib/errors.ts';
import type { Action } from '../action.ts';
import { claimOn, countAnnotation, type LeaseFacts, releaseOf, scaleLease } from '../leases.ts';
import type { RunFacts } from '../run-facts.ts';
import { contestEvent, isAwake, type Scaled, writerOf } from './contest.ts';
import { holderOf, notedWorkload, takenWorkloads } from './facts.ts';
import { type FoundWorkload, unseenOf, type WorkloadFacts } from './workload-facts.ts';

/** What is not at rest yet, in words; empty: the live database may be touched. */
export function waitsFor(facts: Scaled): string[] {
  const taken = takenWorkloads(facts);
  return facts.workloads.flatMap((each) => {
    const { workload, found } = each;
    const unseen = unseenOf(each);
    if (unseen !== undefined) return [`${workloadTitle(workload)} to be looked at: ${unseen.message}`];
    const lease = taken.find((other) => other.workload === workload)?.lease;
    if (found !== undefined && (lease?.atZero === undefined || found.replicas > 0))
      return [`${workloadTitle(workload)} to be ${isCronJob(workload) ? 'suspended' : 'scaled down'}`];
    return [...(found?.jobs ?? []).map((job) => `Job ${job} to end`), ...podsToGo(workload, found)];
  });
}

/** Its controller may know of one that we do not see: a selector is not always that of all its pods. */
function podsToGo(workload: Workload, found: FoundWorkload | undefined): string[] {
  const { pods = [], left = 0, nameless } = found ?? {};
  if (nameless === true) return [`the scale of ${workloadTitle(workload)} to tell the selector of its pods`];
  if (pods.length === 0 && left > 0) return [`${workloadTitle(workload)} to have no replica (${left} of them left)`];
  return pods.map((pod) => `pod ${pod} to be gone`);
}

/** Takes to zero what is not there, for the first time or again. Empty once every count is zero and noted so. */
export function takeDown(facts: Scaled, now: Date): Action[] {
  return facts.workloads.flatMap((each) => downward(facts, each, now));
}

function downward(facts: Scaled, each: WorkloadFacts, now: Date): Action[] {
  const { workload, found, lease } = each;
  if (found === undefined) return [];
  const claim = claimOn(lease, holderOf(facts.restore));
  if (claim.claim === 'busy') return [];
  if (claim.claim !== 'held' || lease === undefined) {
    const stale = claim.claim === 'stale' ? [releaseOf(claim.lease)] : [];
    const left = claim.claim === 'stale' ? (claim.lease.replicas ?? 0) : 0;
    return [...stale, ...claimed(facts, each, found, left), ...toZero(facts, each, found, now)];
  }
  if (found.replicas === 0) return lease.atZero === undefined ? [noteAtZero(facts, workload, now)] : [];
  if (lease.atZero !== undefined) return [...remember(facts, each, found, lease), ...toZero(facts, each, found, now)];
  const count = countAnnotation(workload, found.replicas);
  const remembered = lease.replicas === found.replicas ? [] : [annotated(facts, workload, count)];
  return [...remembered, ...toZero(facts, each, found, now)];
}

/** `left`: the count in the Lease of a holder that is no more, and that did not bring the workload back. */
function claimed(facts: Scaled, { workload, resource }: WorkloadFacts, found: FoundWorkload, left: number): Action[] {
  if (resource === undefined) return [];
  const replicas = found.replicas === 0 ? lostCount(facts, workload) || left : found.replicas;
  return [{ action: 'createLease', lease: scaleLease(workload, resource, replicas, holderOf(facts.restore)) }];
}

/** Somebody removed the Lease of a workload that we have at zero: our status still has the count. */
function lostCount({ restore }: Scaled, workload: Workload): number {
  const entry = notedWorkload(restore, workload);
  return entry === undefined || entry.restored ? 0 : entry.replicas;
}

function toZero(facts: Scaled, each: WorkloadFacts, found: FoundWorkload, now: Date): Action[] {
  const scale = found.replicas === 0 ? [] : scaledTo(facts, each, found, 0);
  return [...scale, noteAtZero(facts, each.workload, now)];
}

function scaledTo(facts: Scaled, each: WorkloadFacts, found: FoundWorkload, replicas: number): Action[] {
  const { workload, resource } = each;
  const { uid, resourceVersion } = found;
  const version = { namespace: facts.restore.metadata.namespace, name: workload.name, uid, resourceVersion };
  if (isCronJob(workload)) return [{ action: 'suspend', ...version, suspend: replicas === 0 }];
  return resource === undefined ? [] : [{ action: 'scale', resource, ...version, replicas }];
}

function annotated(facts: Scaled, workload: Workload, annotations: Record<string, string | undefined>): Action {
  const { namespace, uid } = facts.restore.metadata;
  return { action: 'annotateLease', namespace, name: scaleLeaseName(workload), holderUid: uid, annotations };
}

function noteAtZero(facts: Scaled, workload: Workload, now: Date): Action {
  return annotated(facts, workload, { [ANNOTATIONS.atZero]: instant(now) });
}

/** The value that somebody else wrote is theirs to have back; whether it was meant to be so, we cannot know. */
function remember(facts: Scaled, each: WorkloadFacts, found: FoundWorkload, lease: LeaseFacts): Action[] {
  const contests = (lease.contests ?? 0) + 1;
  const lines = {
    ...countAnnotation(each.workload, found.replicas),
    [ANNOTATIONS.atZero]: undefined,
    [ANNOTATIONS.contests]: String(contests),
    [ANNOTATIONS.contestedBy]: writerOf(found),
  };
  // The first time the condition appears, which is an event by itself.
  const isKnown = facts.restore.status?.conditions?.some(({ type }) => type === 'ScaleContested') === true;
  const told = isKnown ? [contestEvent(each.workload, found, contests)] : [];
  return [annotated(facts, each.workload, lines), ...told];
}

/** `since`: when something else began to wait for the app to be at rest, where that was later than the app's going to zero. */
export function quiesceIsOverdue(
  facts: Scaled,
  waits: readonly string[],
  now: Date,
  since?: Date,
):
  | { readonly state: 'concluded'; readonly outcome: { readonly result: 'Failed'; readonly failure: Failure } }
  | undefined {
  const taken = takenWorkloads(facts).flatMap(({ lease }) => (lease.atZero ?? lease.acquired)?.getTime() ?? []);
  const down = taken.length > 0 ? taken : refusedSince(facts.restore);
  const timeout = parseDuration(facts.restore.spec.scaleDown?.timeout ?? '10m');
  if (down.length === 0 || now.getTime() < Math.max(...down, since?.getTime() ?? 0) + timeout) return undefined;
  const failure: Failure = {
    reason: 'QuiesceTimeout',
    message: `The app was not at rest within ${formatDuration(timeout)}: still waiting for ${waits.join(', ')}.`,
    hint: 'A pod that does not end holds on to a finalizer, a long grace period or a lost node: kubectl describe pod tells. Or give scaleDown.timeout more.',
  };
  return { state: 'concluded', outcome: { result: 'Failed', failure } };
}

/** When the first Lease was refused, where none could be made: a quota, a webhook. */
function refusedSince({ status }: Restore): number[] {
  const condition = status?.conditions?.find(({ type, status: value }) => type === 'Quiesced' && value === 'False');
  if (status?.failure === undefined || condition?.lastTransitionTime === undefined) return [];
  return [Date.parse(condition.lastTransitionTime)];
}

/** Whether a run works on the live database itself, and not beside it. A plan that was not written down yet is in the task. */
export function touchesLive({ status }: Restore, { purpose, task }: RunFacts): boolean {
  return purpose === 'swap' || status?.plan?.inPlace === true || (task !== undefined && isAtLive(task));
}

/**
 * Back to the remembered count, then the Lease goes: a row for each workload, so that one which is refused keeps no other at
 * zero. A count that is not zero any more is somebody's wish since, and stays. The Lease goes in the same pass: who takes the
 * app to zero right afterwards (KEDA, where it is paused) is not fought. A crash between the two leaves a Lease and a count that is right: the next look removes
 * the Lease.
 */
export function bringBack(facts: Scaled): { readonly rows: readonly Action[][]; readonly trouble?: Failure } {
  const taken = takenWorkloads(facts);
  const rows = taken.map((each): Action[] => {
    const { found, lease } = each;
    // It may be at zero: the Lease that knows its count must not go.
    if (unseenOf(each) !== undefined) return [];
    const replicas = lease.replicas ?? lostCount(facts, each.workload);
    const isAsleep = found !== undefined && !isAwake(found) && replicas > 0;
    return [...(isAsleep ? scaledTo(facts, each, found, replicas) : []), releaseOf(lease)];
  });
  const lost = facts.workloads.map((each) => withoutLease(facts, each));
  const unseen = facts.workloads.filter(
    (each) => taken.some(({ workload }) => workload === each.workload) || isLost(facts, each),
  );
  const trouble = unseen.flatMap((each) => unseenOf(each) ?? [])[0];
  return { rows: [...rows, ...lost].filter((row) => row.length > 0), ...(trouble === undefined ? {} : { trouble }) };
}

/** Somebody removed the Lease, and as far as our status tells the app is at zero. */
function isLost(facts: Scaled, { lease, workload }: WorkloadFacts): boolean {
  return lease === undefined && lostCount(facts, workload) > 0;
}

function withoutLease(facts: Scaled, each: WorkloadFacts): Action[] {
  const { found } = each;
  if (!isLost(facts, each) || found === undefined || isAwake(found)) return [];
  return scaledTo(facts, each, found, lostCount(facts, each.workload));
}
