import { isTrue } from '../api/conditions.ts';
import type { Lease } from '../api/kubernetes.ts';
import { ANNOTATIONS, databaseLockName, LABELS, serverLabel } from '../api/names.ts';
import type { PostgresqlAddress } from '../api/postgresql.ts';
import { KIND } from '../kube/kinds.ts';
import type { World } from './controller.ts';
import { type LeaseFacts, leaseFacts } from './leases.ts';

/** What keeps an operation from a database, asked of the API server itself: two operations must not both see it free. */
export async function observeDatabaseLock(world: World, address: PostgresqlAddress): Promise<LeaseFacts | undefined> {
  const own = await observeOwnLock(world, address);
  return own?.holderAlive === true ? own : ((await lockInTheWay(world, address)) ?? own);
}

/** For an operation that is over, which wants the database no more but may still have to free its lock. */
export function observeOwnLock(world: World, address: PostgresqlAddress): Promise<LeaseFacts | undefined> {
  return observeLease(world, world.settings.namespace, databaseLockName(address));
}

/**
 * Work on a whole server keeps out all work on its databases, and is kept out by any. Two that look at the same instant
 * may both see nothing: then the locks in the server itself decide, and the second waits.
 */
async function lockInTheWay(world: World, address: PostgresqlAddress): Promise<LeaseFacts | undefined> {
  const { database } = address;
  const selector = { [LABELS.server]: serverLabel(address), ...(database === undefined ? {} : INSTANCE) };
  const labelSelector = Object.entries(selector)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
  const leases = await world.cluster.list<Lease>(KIND.lease, { namespace: world.settings.namespace, labelSelector });
  return leases
    .map((lease) => ({
      ...leaseFacts(lease, isHolderAlive(world, lease.spec?.holderIdentity ?? '')),
      elsewhere: lease.metadata.annotations?.[ANNOTATIONS.database] ?? 'this server',
    }))
    .find(({ holderAlive }) => holderAlive);
}

const INSTANCE = { [LABELS.scope]: 'Instance' };

export async function observeLease(world: World, namespace: string, name: string): Promise<LeaseFacts | undefined> {
  const lease = await world.cluster.get<Lease>(KIND.lease, { namespace, name });
  return lease === undefined ? undefined : leaseFacts(lease, isHolderAlive(world, lease.spec?.holderIdentity ?? ''));
}

/**
 * A holder lives while its object is there and not over, or while a pod of it is. The local copies may be behind: a
 * holder made an instant ago must be in them, since it was from them that it took the Lease; a new leader waits until
 * they are synced.
 */
function isHolderAlive(world: World, uid: string): boolean {
  const { backups, restores, pods } = world.stores;
  const run = backups.byUid(uid) ?? restores.byUid(uid);
  const over =
    run === undefined || isTrue(run.status?.conditions, 'Complete') || isTrue(run.status?.conditions, 'Failed');
  const livingPods = pods
    .ownedBy(uid)
    .some(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
  return !over || livingPods;
}
