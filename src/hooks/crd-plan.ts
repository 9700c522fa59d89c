/** What becomes of one CustomResourceDefinition at an upgrade. Pure. */
import type { Crd, NewCrd } from '../api/kubernetes.ts';
import { ANNOTATIONS } from '../api/names.ts';
import { HoldfastError } from '../lib/errors.ts';
import { isLater } from '../lib/semver.ts';

export type CrdStep =
  | { readonly step: 'create' }
  /** The schema is brought to ours. */
  | { readonly step: 'apply'; readonly found: Crd }
  /** A newer Holdfast made it: taking it back would cut away fields that objects may have by now. */
  | { readonly step: 'keep'; readonly version: string }
  /** Somebody is deleting it: only when it is gone can it be made anew. */
  | { readonly step: 'wait'; readonly because: string };

/** Throws where our kinds cannot be had without taking something away. */
export function planCrd(wanted: NewCrd, found: Crd | undefined): CrdStep {
  if (found === undefined) return { step: 'create' };
  if (found.metadata.deletionTimestamp !== undefined) return { step: 'wait', because: leavingBecause(found) };
  const [theirs, ours] = [found, wanted].map(({ metadata }) => metadata.annotations?.[ANNOTATIONS.version]);
  if (theirs === undefined || !isLater(theirs, ours)) return { step: 'apply', found };
  const missing = servedBy(wanted).filter((version) => !servedBy(found).includes(version));
  if (missing.length > 0) throw tooNew(wanted, theirs, ours, missing);
  return { step: 'keep', version: theirs };
}

function servedBy({ spec }: NewCrd | Crd): string[] {
  return spec.versions.filter(({ served }) => served).map(({ name }) => name);
}

function leavingBecause({ status }: Crd): string {
  const terminating = status?.conditions?.find(({ type }) => type === 'Terminating');
  return terminating?.message ?? 'its objects have to go first';
}

function tooNew({ metadata }: NewCrd, theirs: string, ours: string | undefined, missing: readonly string[]) {
  return new HoldfastError(
    'KindTooNew',
    `CustomResourceDefinition ${metadata.name} is of Holdfast ${theirs} and serves ${missing.join(', ')} no longer, which Holdfast ${ours ?? ''} needs.`,
    { hint: `Install the chart of Holdfast ${theirs} or a later one.` },
  );
}

/** What still keeps a kind from being used; `undefined`: it can be. */
export function unusable(wanted: NewCrd, found: Crd | undefined, served: ReadonlySet<string>): string | undefined {
  const conditions = found?.status?.conditions ?? [];
  const refused = conditions.find(({ type, status }) => type === 'NamesAccepted' && status === 'False');
  if (refused !== undefined) return refused.message ?? 'its names are taken';
  const established = conditions.find(({ type }) => type === 'Established');
  if (established?.status !== 'True') return established?.message ?? 'it is not Established';
  return served.has(wanted.spec.names.plural) ? undefined : 'the API server does not serve it yet';
}
