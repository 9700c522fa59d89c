/** Somebody else writes a count that a restore needs at zero: who it was, and what comes of it. Pure. */
import type { ConditionReport } from '../../api/conditions.ts';
import { pauseAdvice, writerTitle, writerWarnings } from '../../api/managers.ts';
import type { Workload } from '../../api/restore.ts';
import { isCronJob, workloadTitle } from '../../api/workloads.ts';
import type { Failure } from '../../lib/errors.ts';
import type { Action } from '../action.ts';
import { type RestoreFacts, takenWorkloads } from './facts.ts';
import type { FoundWorkload, WorkloadFacts } from './workload-facts.ts';

/** The part of the facts that counts go by. */
export type Scaled = Pick<RestoreFacts, 'restore' | 'workloads'>;

/** How often a count that somebody else wrote goes back to zero before the restore gives up. */
const CONTESTS = 3;

const CONTESTED = 'ScaleContested';

/** Whether its count asks for pods. Those that are left of one that does not are no matter of the count. */
export function isAwake({ replicas }: FoundWorkload): boolean {
  return replicas > 0;
}

/** `Argo CD (argocd-controller) at 2026-11-24T12:00:00Z`: whoever wrote the count last, as the managed fields tell. */
export function writerOf({ writers }: FoundWorkload): string {
  const [writer] = writers ?? [];
  if (writer === undefined) return UNKNOWN;
  return writer.time === undefined ? writerTitle(writer) : `${writerTitle(writer)} at ${writer.time}`;
}

/** Whoever writes the object itself leaves a name; by way of the scale of an app at zero nobody does. */
const UNKNOWN = 'somebody who left no name, as kubectl scale, KEDA and autoscalers do not';

export function contestEvent(workload: Workload, found: FoundWorkload, contests: number): Action {
  const note = `${story(workload, found.replicas, writerOf(found))} ${consequence(workload, contests)}`;
  return { action: 'event', type: 'Warning', reason: CONTESTED, note };
}

/** What the condition says as long as a Lease of ours remembers a contest. */
export function contestReport(facts: Scaled): ConditionReport | undefined {
  const stories = takenWorkloads(facts).flatMap(({ workload, lease }) => {
    const { contests = 0, replicas = 0, contestedBy = UNKNOWN } = lease;
    return contests === 0 ? [] : [`${story(workload, replicas, contestedBy)} ${consequence(workload, contests)}`];
  });
  if (stories.length === 0) return undefined;
  return { type: CONTESTED, status: 'True', reason: CONTESTED, message: stories.join(' ') };
}

function story(workload: Workload, replicas: number, writer: string): string {
  const what = isCronJob(workload) ? 'resumed' : `scaled to ${replicas}`;
  return `${workloadTitle(workload)} was ${what} during the restore, by ${writer}.`;
}

function consequence(workload: Workload, contests: number): string {
  const back = isCronJob(workload) ? 'It was suspended again' : 'It goes back to zero, and to that count afterwards';
  return `${back} (${contests} of ${CONTESTS} times).`;
}

/** Somebody who does not leave the app at zero: the restore ends, and the app has the count that they gave it. */
export function contestFailure(facts: Scaled): Failure | undefined {
  const insisted = takenWorkloads(facts).filter(
    ({ found, lease }) =>
      found !== undefined && isAwake(found) && lease.atZero !== undefined && (lease.contests ?? 0) >= CONTESTS,
  );
  return insisted.length === 0 ? undefined : failure(insisted, [`It had gone back to zero ${CONTESTS} times.`]);
}

/** Whatever touches the live database itself ends at the first pod, or the first count, that is there again, or that we may not see. */
export function startedAgain(facts: Scaled): Failure | undefined {
  const unseen = facts.workloads.flatMap(({ refused }) => refused ?? [])[0];
  if (unseen !== undefined) return unseen;
  const awake = facts.workloads.filter(
    ({ found }) => found !== undefined && (isAwake(found) || found.pods.length > 0 || (found.jobs ?? []).length > 0),
  );
  return awake.length === 0 ? undefined : failure(awake, []);
}

function failure(awake: readonly WorkloadFacts[], more: readonly string[]): Failure {
  const stories = awake.flatMap(({ workload, found }) => (found === undefined ? [] : [running(workload, found)]));
  const advice = awake.flatMap(({ found }) => (found?.writers ?? []).slice(0, 1)).map(pauseAdvice);
  const pause = [...new Set(advice)].filter((text) => text !== '').join('; ');
  return {
    reason: CONTESTED,
    message: [...stories, ...more].join(' '),
    hint:
      pause === ''
        ? 'Keep whoever wrote it from that: a ScaledObject of KEDA is paused by the annotation autoscaling.keda.sh/paused-replicas: "0"; an audit log tells who else it was. Then make a new Restore.'
        : `Before a new Restore: ${pause}.`,
  };
}

function running(workload: Workload, found: FoundWorkload): string {
  if (isAwake(found)) return story(workload, found.replicas, writerOf(found));
  const left = [...(found.jobs ?? []), ...found.pods].join(', ');
  return `${workloadTitle(workload)} has ${left} again, though its count is zero.`;
}

/** Why the plan refuses the workloads that it was given; nothing was touched so far. */
export function workloadRefusals({ workloads }: Scaled): Failure[] {
  return workloads.flatMap(({ workload, found, refused, unseen }): Failure[] => {
    if (refused !== undefined) return [refused];
    if (found?.nameless === true) return [nameless(workload)];
    if (found !== undefined || unseen !== undefined) return [];
    const message = `There is no ${workload.kind} "${workload.name}" in this namespace.`;
    return [{ reason: 'WorkloadNotFound', message, hint: 'Correct spec.scaleDown.workloads in a new Restore.' }];
  });
}

function nameless(workload: Workload): Failure {
  const { kind } = workload;
  return {
    reason: 'WorkloadWithoutSelector',
    message: `The scale of ${workloadTitle(workload)} has no selector, so nobody can tell when its pods are gone.`,
    hint: `Its kind must have labelSelectorPath (the scale subresource in the CRD of ${kind}), and its controller must have filled it: kubectl get ${kind.toLowerCase()} ${workload.name} -o yaml. Then make a new Restore.`,
  };
}

/** What people should know of those who write the counts, before the app goes down. */
export function workloadWarnings({ workloads }: Scaled): string[] {
  return workloads.flatMap(({ workload, found }) => writerWarnings(workloadTitle(workload), found?.writers ?? []));
}
