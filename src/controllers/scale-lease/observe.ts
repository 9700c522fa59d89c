import type { CronJob, Job, KubeObject, Lease, Pod } from '../../api/kubernetes.ts';
import { LABELS, SCALE_LEASE_PREFIX, scaleLeaseName } from '../../api/names.ts';
import type { Restore } from '../../api/restore.ts';
import { isCronJob, type ScalableKind, workloadNamed } from '../../api/workloads.ts';
import type { Place } from '../../kube/cluster.ts';
import { KIND } from '../../kube/kinds.ts';
import type { Stores } from '../../kube/stores.ts';
import type { Controller, World } from '../controller.ts';
import { leaseFacts } from '../leases.ts';
import { isTerminal } from '../restore/facts.ts';
import { runFacts } from '../run-facts.ts';
import { decide, type ScaleLeaseFacts } from './decide.ts';

/** The counts of apps whose Restore is not there any more. As long as it is, they are its business alone. */
export const scaleLeaseController: Controller<Lease, ScaleLeaseFacts, object> = {
  kind: KIND.lease,

  async observe(world, { metadata, spec }) {
    const { namespace = '', name } = metadata;
    if (!name.startsWith(SCALE_LEASE_PREFIX)) return undefined;
    if (isAtWork(world.stores.restores.byUid(spec?.holderIdentity ?? ''))) return undefined;
    return lookAt(world, namespace, name);
  },

  decide,

  /** A Lease has no owner that it goes with: what became of the Restore, of its Jobs and of their pods is looked for here. */
  concerns(changed, stores) {
    const owner = changed.metadata.labels?.[LABELS.owner];
    const found =
      changed.kind === KIND.restore.kind ? stores.leases.list(changed.metadata.namespace) : ownedBy(owner, stores);
    return found.filter(({ metadata }) => metadata.name.startsWith(SCALE_LEASE_PREFIX)).map(placeOf);
  },
};

function ownedBy(owner: string | undefined, stores: Stores): readonly Lease[] {
  return owner === undefined ? [] : stores.leases.ownedBy(owner);
}

function placeOf({ metadata }: KubeObject): Place {
  return { namespace: metadata.namespace ?? '', name: metadata.name };
}

function isAtWork(restore: Restore | undefined): boolean {
  return restore !== undefined && !isTerminal(restore);
}

/**
 * Asked of the API server itself, the Lease before the Restores: its holder was there before it, so one that is not in the list is
 * gone, and none that is only not seen yet. A UID never comes back.
 */
async function lookAt(world: World, namespace: string, name: string): Promise<ScaleLeaseFacts | undefined> {
  const { cluster, settings } = world;
  const lease = await cluster.get<Lease>(KIND.lease, { namespace, name });
  const holder = lease?.spec?.holderIdentity ?? '';
  if (lease === undefined || holder === '') return undefined;
  const restores = await cluster.list<Restore>(KIND.restore, { namespace });
  if (isAtWork(restores.find(({ metadata }) => metadata.uid === holder))) return undefined;
  const owned = { namespace, labelSelector: `${LABELS.owner}=${holder}` };
  const runs = runFacts(await cluster.list<Job>(KIND.job, owned), await cluster.list<Pod>(KIND.pod, owned));
  const facts = leaseFacts(lease, false);
  const wanted = restores.find((restore) => isOnItsWayTo(name, restore))?.metadata.name;
  const workload = workloadNamed(facts.workload ?? '', settings.scalableKinds ?? []);
  const base = { lease: facts, runs, ...(wanted === undefined ? {} : { wantedBy: wanted }) };
  // Whoever wrote that names one app in the Lease of another.
  if (workload === undefined || scaleLeaseName({ ...workload.resource, name: workload.name }) !== name) return base;
  const found = await lookAtWorkload(world, namespace, workload);
  return { ...base, workload, ...(found === undefined ? {} : { found }) };
}

/** One that still waits for something may wait for long: the app is not kept at zero for it. */
function isOnItsWayTo(name: string, { spec, status, metadata }: Restore): boolean {
  const phase = status?.phase ?? 'Pending';
  if (phase === 'Pending' || phase === 'Complete' || phase === 'Failed' || metadata.deletionTimestamp !== undefined)
    return false;
  return spec.scaleDown?.workloads?.some((workload) => scaleLeaseName(workload) === name) === true;
}

async function lookAtWorkload(
  { cluster }: World,
  namespace: string,
  { resource, name }: { readonly resource: ScalableKind; readonly name: string },
): Promise<ScaleLeaseFacts['found']> {
  if (isCronJob(resource)) {
    const found = await cluster.get<CronJob>(KIND.cronJob, { namespace, name });
    return found === undefined ? undefined : { ...versionOf(found), replicas: found.spec.suspend === true ? 0 : 1 };
  }
  const scale = await cluster.getScale(resource, { namespace, name });
  return scale === undefined ? undefined : { ...versionOf(scale), replicas: scale.spec.replicas ?? 0 };
}

function versionOf({ metadata: { uid, resourceVersion } }: Pick<KubeObject, 'metadata'>) {
  return { uid, resourceVersion };
}
