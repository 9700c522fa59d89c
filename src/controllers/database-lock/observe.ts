import type { Lease } from '../../api/kubernetes.ts';
import { DATABASE_LOCK_PREFIX } from '../../api/names.ts';
import { KIND } from '../../kube/kinds.ts';
import type { Controller } from '../controller.ts';
import { observeLease } from '../observe-leases.ts';
import { type DatabaseLockFacts, decide } from './decide.ts';

/** Locks of databases, which are in the operator's own namespace. Of scale Leases: scale-lease/. */
export const databaseLockController: Controller<Lease, DatabaseLockFacts, object> = {
  kind: KIND.lease,

  async observe(world, { metadata }) {
    const { namespace = '', name } = metadata;
    if (namespace !== world.settings.namespace || !name.startsWith(DATABASE_LOCK_PREFIX)) return undefined;
    const lock = await observeLease(world, namespace, name);
    return lock === undefined ? undefined : { lock };
  },

  decide,
};
