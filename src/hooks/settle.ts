/** Before an uninstall, while the operator still runs: ends what must not be left half-way. */
import { isTrue } from '../api/conditions.ts';
import type { CronJob, Job, KubeObject, Lease } from '../api/kubernetes.ts';
import { ANNOTATIONS, FINALIZERS, LABELS, MANAGED_BY, scratchDatabaseName } from '../api/names.ts';
import { rememberedCount } from '../api/recovery.ts';
import type { Restore } from '../api/restore.ts';
import { isCronJob, type ScalableKind, workloadNamed } from '../api/workloads.ts';
import type { Cluster } from '../kube/cluster.ts';
import { isConflict, isForbidden, isNotFound, KubeError } from '../kube/errors.ts';
import { KIND, type KindRef } from '../kube/kinds.ts';
import { LEADER_LEASE } from '../kube/leader.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import { monotonic } from '../platform/clock.ts';
import { delay } from '../platform/delay.ts';
import { RIGHTS_ARRIVE_MS } from './patience.ts';
import { planSettle, type RestoreToSettle, type SettleFacts, type TakenWorkload } from './settle-plan.ts';

export interface SettleOptions {
  readonly cluster: Pick<Cluster, 'get' | 'list' | 'getScale' | 'delete' | 'setFinalizers'>;
  /** Of the operator, where its Lease is. */
  readonly namespace: string;
  /** The namespaces that the operator looks after; absent: all of them. */
  readonly watched?: readonly string[];
  /** Kinds that restores may take to zero, beyond Deployments and StatefulSets. */
  readonly scalableKinds?: readonly ScalableKind[];
  /** A sentence for the person who reads the Job's log. */
  readonly say: (sentence: string) => void;
  /** Milliseconds, counted from any fixed point. */
  readonly clock?: () => number;
  /** Milliseconds between two looks. */
  readonly every?: number;
}

/** How long an API server that does not answer is asked again. */
const TROUBLE_PATIENCE_MS = 60_000;

/** Returns when nothing in the cluster waits for the operator any more. Safe to repeat. Throws what is left, with the commands that end it. */
export async function settle(options: SettleOptions): Promise<void> {
  const { clock = monotonic, every = 2_000, say } = options;
  const start = clock();
  const heard = heartbeat(options, clock);
  let troubleSince: number | undefined;
  let told = '';
  for (;;) {
    try {
      const facts = { ...(await observe(options)), elapsed: clock() - start, silence: await heard() };
      const plan = planSettle(facts);
      if (plan.step === 'done') return say('Nothing is left that needs the operator.');
      if (plan.step === 'stop') throw plan.failure;
      if (plan.step === 'wait') {
        for (const restore of plan.remove) await remove(restore, options);
        const waitsFor = plan.waitsFor.map(titleOf).join(', ');
        if (waitsFor !== told && waitsFor !== '') say(`Waiting for the operator to end ${waitsFor}.`);
        told = waitsFor;
      } else {
        for (const restore of plan.restores) await release(restore, options);
      }
      troubleSince = undefined;
    } catch (error) {
      troubleSince ??= clock();
      if (clock() - troubleSince > patienceWith(error)) throw explained(error);
    }
    await delay(every);
  }
}

/** Milliseconds since the leader's Lease changed, by our own clock alone. */
function heartbeat({ cluster, namespace }: SettleOptions, clock: () => number): () => Promise<number> {
  let seen = { resourceVersion: '', since: clock() };
  return async () => {
    const lease = await cluster.get<Lease>(KIND.lease, { namespace, name: LEADER_LEASE });
    const { resourceVersion } = lease?.metadata ?? { resourceVersion: '' };
    if (resourceVersion !== seen.resourceVersion) seen = { resourceVersion, since: clock() };
    return clock() - seen.since;
  };
}

async function observe(options: SettleOptions): Promise<Pick<SettleFacts, 'restores' | 'taken'>> {
  const labelSelector = `${LABELS.managedBy}=${MANAGED_BY},${LABELS.kind}=restore`;
  const restores = await everywhere(options, KIND.restore);
  const leases = await everywhere(options, KIND.lease, labelSelector);
  const jobs = leases.length === 0 ? [] : await everywhere(options, KIND.job, labelSelector);
  const taken = await Promise.all(leases.map((lease) => takenBy(lease, jobs, options)));
  return { restores: restores.map(toSettle), taken: taken.flatMap((found) => found ?? []) };
}

/** Empty where the kind is not there: somebody removed it before, and with it all that could wait. */
async function everywhere<T extends KubeObject>(
  { cluster, watched }: SettleOptions,
  kind: KindRef<T>,
  labelSelector?: string,
): Promise<readonly T[]> {
  const filter = labelSelector === undefined ? {} : { labelSelector };
  const places = watched === undefined ? [filter] : watched.map((namespace) => ({ namespace, ...filter }));
  try {
    return (await Promise.all(places.map((place) => cluster.list(kind, place)))).flat();
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

function toSettle({ metadata, status }: Restore): RestoreToSettle {
  const { namespace, name, uid, resourceVersion, finalizers = [] } = metadata;
  return {
    namespace,
    name,
    uid,
    resourceVersion,
    finalizers,
    over: isTrue(status?.conditions, 'Complete') || isTrue(status?.conditions, 'Failed'),
    leaving: metadata.deletionTimestamp !== undefined,
    guarded: finalizers.includes(FINALIZERS.restore),
    scratchDatabase: scratchDatabaseName(metadata),
  };
}

/** Undefined for a Lease that is none of a workload. */
async function takenBy(
  { metadata, spec }: Lease,
  jobs: readonly Job[],
  options: SettleOptions,
): Promise<TakenWorkload | undefined> {
  const workload = metadata.annotations?.[ANNOTATIONS.workload] ?? '';
  const { namespace = '' } = metadata;
  if (workload === '') return undefined;
  const holder = spec?.holderIdentity ?? '';
  return {
    namespace,
    lease: metadata.name,
    workload,
    replicas: rememberedCount(metadata.annotations),
    holder,
    holderName: metadata.annotations?.[ANNOTATIONS.holder] ?? 'a restore that is not known any more',
    current: await countNow(workload, namespace, options),
    jobs: jobs.filter((job) => job.metadata.labels?.[LABELS.owner] === holder && isUnderWay(job)).map(nameOf),
  };
}

/** Of a kind that the chart does not allow any more nobody here may ask: then it is told as one at zero. */
async function countNow(
  workload: string,
  namespace: string,
  { cluster, scalableKinds = [] }: SettleOptions,
): Promise<number | undefined> {
  const named = workloadNamed(workload, scalableKinds);
  if (named === undefined) return 0;
  const place = { namespace, name: named.name };
  if (!isCronJob(named.resource)) {
    const scale = await cluster.getScale(named.resource, place);
    return scale === undefined ? undefined : (scale.spec.replicas ?? 0);
  }
  const cronJob = await cluster.get<CronJob>(KIND.cronJob, place);
  return cronJob === undefined ? undefined : Number(cronJob.spec.suspend !== true);
}

function isUnderWay({ status }: Job): boolean {
  const ends = status?.conditions?.filter(({ type }) => type === 'Complete' || type === 'Failed') ?? [];
  return !ends.some((condition) => condition.status === 'True');
}

const nameOf = ({ metadata }: KubeObject) => metadata.name;

const titleOf = ({ namespace, name }: RestoreToSettle) => `Restore ${namespace}/${name}`;

/** The operator takes a deletion for what it is: it ends the runner, brings the app back, and lets the Restore go. */
async function remove(restore: RestoreToSettle, { cluster, say }: SettleOptions): Promise<void> {
  await unlessGone(cluster.delete(KIND.restore, restore));
  say(`${titleOf(restore)} is not over: deleted, so that the operator ends it and brings its app back.`);
}

/**
 * No operator will do it, and no app is at zero for this Restore. One that comes back in this very moment finds it
 * deleted or over, and takes no app any more.
 */
async function release(restore: RestoreToSettle, { cluster, say }: SettleOptions): Promise<void> {
  const rest = restore.finalizers.filter((finalizer) => finalizer !== FINALIZERS.restore);
  await unlessGone(cluster.setFinalizers(KIND.restore, restore, rest));
  say(
    `${titleOf(restore)}: no operator ended it, and it holds no app at zero: let go. Its database may have left ${restore.scratchDatabase} on the server; drop it if it is there.`,
  );
}

/** Gone, or changed since it was looked at: the next look tells. */
async function unlessGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}

function patienceWith(error: unknown): number {
  if (!(error instanceof KubeError)) return -1;
  if (error.outlook === 'retry') return TROUBLE_PATIENCE_MS;
  return isForbidden(error) ? RIGHTS_ARRIVE_MS : -1;
}

const WITHOUT =
  'helm uninstall --no-hooks goes on without this look; then see yourself that no app stays at zero: kubectl get leases --all-namespaces -l app.kubernetes.io/managed-by=holdfast,holdfast.dev/kind=restore';

function explained(error: unknown): unknown {
  if (!(error instanceof KubeError)) return error;
  const message = isForbidden(error)
    ? `The hook's account may not look for what is left: ${messageOf(error)}`
    : `The API server did not carry it out: ${messageOf(error)}`;
  return new HoldfastError(error.reason, message, { hint: WITHOUT, cause: error });
}
