import { isTrue } from '../api/conditions.ts';
import type { Lease } from '../api/kubernetes.ts';
import { databaseLockName } from '../api/names.ts';
import type { PostgresqlAddress } from '../api/postgresql.ts';
import { KIND } from '../kube/kinds.ts';
import type { World } from './controller.ts';
import { type LeaseFacts, leaseFacts } from './leases.ts';

/** The lock of a database, asked of the API server itself: two operations must not both see it free. */
export async function observeDatabaseLock(world: World, address: PostgresqlAddress): Promise<LeaseFacts | undefined> {
  return observeLease(world, world.settings.namespace, databaseLockName(address));
}

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
  const runs = [...backups.list(), ...restores.list()].find(({ metadata }) => metadata.uid === uid);
  const over =
    runs === undefined || isTrue(runs.status?.conditions, 'Complete') || isTrue(runs.status?.conditions, 'Failed');
  const livingPods = pods
    .ownedBy(uid)
    .some(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed');
  return !over || livingPods;
}
