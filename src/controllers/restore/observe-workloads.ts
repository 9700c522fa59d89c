import type { CronJob, Job, Pod } from '../../api/kubernetes.ts';
import { writersOf } from '../../api/managers.ts';
import { scaleLeaseName } from '../../api/names.ts';
import type { Restore, Workload } from '../../api/restore.ts';
import { CRON_JOBS, isCronJob, SCALABLE_ALWAYS, type ScalableKind, scalableKindOf } from '../../api/workloads.ts';
import { isForbidden } from '../../kube/errors.ts';
import { KIND } from '../../kube/kinds.ts';
import { type Failure, messageOf } from '../../lib/errors.ts';
import type { World } from '../controller.ts';
import type { LeaseFacts } from '../leases.ts';
import { nodesOf } from '../nodes.ts';
import { observeLease } from '../observe-leases.ts';
import type { FoundWorkload, WorkloadFacts } from './workload-facts.ts';

/** The workloads of `spec.scaleDown`, asked of the API server itself: neither they nor the pods of an app are watched. */
export async function observeWorkloads(world: World, restore: Restore): Promise<WorkloadFacts[]> {
  const { namespace } = restore.metadata;
  // In the order of their Leases' names, so that two restores of the same workloads never hold one each and wait for the other.
  const workloads = (restore.spec.scaleDown?.workloads ?? []).toSorted((a, b) =>
    scaleLeaseName(a) < scaleLeaseName(b) ? -1 : 1,
  );
  const leased = await Promise.all(
    workloads.map(async (workload) => ({
      workload,
      lease: await observeLease(world, namespace, scaleLeaseName(workload)),
    })),
  );
  const isDown = leased.some(({ lease }) => lease?.holderUid === restore.metadata.uid) || isOnItsWayUp(restore);
  return Promise.all(leased.map((each) => observeWorkload(world, namespace, each, isDown)));
}

function isOnItsWayUp({ status, metadata }: Restore): boolean {
  return (
    status?.outcome !== undefined ||
    metadata.deletionTimestamp !== undefined ||
    status?.scaledWorkloads?.some(({ restored }) => !restored) === true
  );
}

/** `isDown`: an app may be at zero, and what the API server says to one workload must not keep the others there. */
async function observeWorkload(
  world: World,
  namespace: string,
  { workload, lease }: { readonly workload: Workload; readonly lease: LeaseFacts | undefined },
  isDown: boolean,
): Promise<WorkloadFacts> {
  const allowed = world.settings.scalableKinds ?? [];
  const base = { workload, ...(lease === undefined ? {} : { lease }) };
  const resource = scalableKindOf(workload, allowed);
  if (resource === undefined) return { ...base, refused: notAllowed(workload, allowed) };
  try {
    const look = isCronJob(resource) ? lookAtCronJob : lookAtScale;
    const found = await look(world, namespace, workload.name, resource);
    return { ...base, resource, ...(found === undefined ? {} : { found }) };
  } catch (error) {
    if (isForbidden(error)) return { ...base, resource, refused: forbidden(workload, error.message) };
    if (!isDown) throw error;
    return { ...base, resource, unseen: unreadable(workload, messageOf(error)) };
  }
}

function notAllowed(workload: Workload, allowed: readonly ScalableKind[]): Failure {
  const { apiVersion = 'apps/v1', kind, name } = workload;
  const known = [...SCALABLE_ALWAYS, ...allowed].map((each) => `${each.kind} (${each.apiVersion})`).join(', ');
  const wants = kind === CRON_JOBS.kind ? 'restore.suspendCronJobs: true' : valueFor(apiVersion, kind);
  const ofBatch = kind === CRON_JOBS.kind && !isCronJob(workload) ? ` Its apiVersion is ${CRON_JOBS.apiVersion}.` : '';
  return {
    reason: 'WorkloadKindNotAllowed',
    message: `The operator may not take ${kind} "${name}" (${apiVersion}) to zero, only ${known}.`,
    hint: `The chart value ${wants} allows it (docs/chart.md).${ofBatch} Then make a new Restore.`,
  };
}

function valueFor(apiVersion: string, kind: string): string {
  const [group = '', version = ''] = apiVersion.split('/');
  return `restore.scalableKinds: [{group: ${group}, version: ${version}, kind: ${kind}, resource: …}]`;
}

function forbidden({ kind, name }: Workload, message: string): Failure {
  return {
    reason: 'WorkloadForbidden',
    message: `The operator may not look at ${kind} "${name}": ${message}`,
    hint: "The chart gives the operator's account that right: helm upgrade, or look who took it away.",
  };
}

function unreadable({ kind, name }: Workload, message: string): Failure {
  return {
    reason: 'WorkloadUnreadable',
    message: `The API server does not tell of ${kind} "${name}": ${message}`,
    hint: 'Asked again until it does. Where it goes on, a webhook of that kind (conversion, in its CRD) most likely does not work.',
  };
}

async function lookAtScale(
  world: World,
  namespace: string,
  name: string,
  resource: ScalableKind,
): Promise<FoundWorkload | undefined> {
  const { cluster } = world;
  const scale = await cluster.getScale(resource, { namespace, name });
  if (scale === undefined) return undefined;
  const { replicas = 0 } = scale.spec;
  const { selector: labelSelector = '', replicas: left = 0 } = scale.status;
  const pods = labelSelector === '' ? [] : await cluster.list<Pod>(KIND.pod, { namespace, labelSelector });
  // A scale has no managed fields. At zero nobody asks who wrote that.
  const whole = replicas === 0 ? undefined : await asFarAsTold(cluster.get(resource, { namespace, name }));
  return {
    uid: scale.metadata.uid,
    resourceVersion: scale.metadata.resourceVersion,
    replicas,
    pods: living(pods),
    ...(labelSelector === '' ? { nameless: true } : {}),
    left,
    nodes: nodesOf(pods),
    writers: writersOf(whole?.metadata.managedFields, ['spec', 'replicas']),
  };
}

/** To know who wrote the count is good; without it an app is taken down and brought back all the same. */
async function asFarAsTold<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch {
    return undefined;
  }
}

/** Its pods are those of its Jobs. A Job that is under way counts even without a pod: the next one may come at any moment. */
async function lookAtCronJob(world: World, namespace: string, name: string): Promise<FoundWorkload | undefined> {
  const { cluster } = world;
  const found = await cluster.get<CronJob>(KIND.cronJob, { namespace, name });
  if (found === undefined) return undefined;
  const { uid, resourceVersion, managedFields } = found.metadata;
  const jobs = (await cluster.list<Job>(KIND.job, { namespace })).filter(({ metadata }) =>
    metadata.ownerReferences?.some((owner) => owner.uid === uid),
  );
  const owners = jobs.map(({ metadata }) => metadata.uid).join(',');
  const labelSelector = `${CONTROLLER_UID} in (${owners})`;
  const pods = jobs.length === 0 ? [] : await cluster.list<Pod>(KIND.pod, { namespace, labelSelector });
  return {
    uid,
    resourceVersion,
    replicas: found.spec.suspend === true ? 0 : 1,
    pods: living(pods),
    nodes: nodesOf(pods),
    jobs: jobs.filter(isUnderWay).map(({ metadata }) => metadata.name),
    writers: writersOf(managedFields, ['spec', 'suspend']),
  };
}

/** On each pod of a Job, since Kubernetes 1.27. */
const CONTROLLER_UID = 'batch.kubernetes.io/controller-uid';

function isUnderWay({ spec, status }: Job): boolean {
  const over = status?.conditions?.some(
    (condition) => (condition.type === 'Complete' || condition.type === 'Failed') && condition.status === 'True',
  );
  return spec['suspend'] !== true && over !== true;
}

/** Pods that have not come to an end, those being deleted included. */
function living(pods: readonly Pod[]): string[] {
  return pods
    .filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
    .map(({ metadata }) => metadata.name);
}
