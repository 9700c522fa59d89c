/** What the operator says of namespaces that it is to watch and may not. */
import { FINALIZERS } from '../api/names.ts';
import type { Refusal } from '../kube/watch-group.ts';
import type { Watches } from '../kube/watches.ts';

type Sight = Pick<Watches, 'synced' | 'refused'>;

/** One namespace that refuses us is no reason to take the operator away from the others; all of them are. */
export function unready(
  watches: Sight,
  { namespaces }: { readonly namespaces: readonly string[] },
): string | undefined {
  if (!watches.synced()) return 'the first lists are not in yet';
  const refused = watches.refused();
  return refused.length > 0 && refused.length === namespaces.length ? refusedText(watches) : undefined;
}

export function refusedText(watches: Sight): string | undefined {
  const refused = watches.refused();
  return refused.length === 0 ? undefined : `the API server does not let us look at ${refused.join(', ')}`;
}

/** For the log. Restores that keep our finalizer would hold up the end of their namespace, with nobody left who may take it off. */
export function refusalReport({ namespace, reason, lost }: Refusal): object {
  const held = lost
    .filter(({ metadata }) => metadata.finalizers?.includes(FINALIZERS.restore) === true)
    .map(({ metadata }) => metadata.name);
  const look = `It is gone, or has no Role for us: kubectl get namespace ${namespace}, then helm upgrade. It is looked at again as soon as the API server lets us.`;
  if (held.length === 0) return { namespace, reason, hint: look };
  const free = `kubectl -n ${namespace} patch restore ${held.join(' ')} --type=merge -p '{"metadata":{"finalizers":null}}'`;
  return { namespace, reason, restores: held, hint: `${look} If it hangs in Terminating: ${free}` };
}
