/** Who writes a field, as `metadata.managedFields` tells it, and what that means for a count that has to stay at zero. */
import { FIELD_MANAGER, type ManagedFields } from './meta.ts';

export interface Writer {
  /** Field manager: of a client that gives none, the first word of its User-Agent. */
  readonly manager: string;
  /** `scale` where it went that way. */
  readonly subresource?: string;
  /** When it last wrote something that it owns; of a write by way of `scale` the API server keeps none. */
  readonly time?: string;
}

/**
 * Everybody but us who owns the field, the newest first. An update takes a field from whoever owned it before; an apply
 * of the same value shares it.
 *
 * Nobody owns a count that went by way of `scale` since it was zero: a Scale of zero has no such field, so it has no owner
 * either, and of what nobody owns the API server begins no account (tried with 1.36).
 */
export function writersOf(managed: readonly ManagedFields[] | undefined, path: readonly string[]): Writer[] {
  return (managed ?? [])
    .filter(({ manager, fieldsV1 }) => manager !== undefined && manager !== FIELD_MANAGER && owns(fieldsV1, path))
    .map(({ manager = '', subresource, time }) => ({
      manager,
      ...(subresource === undefined ? {} : { subresource }),
      ...(time === undefined ? {} : { time }),
    }))
    .toSorted((a, b) => (b.time ?? '').localeCompare(a.time ?? ''));
}

function owns(fields: unknown, path: readonly string[]): boolean {
  const [step, ...rest] = path;
  if (step === undefined) return true;
  if (typeof fields !== 'object' || fields === null || !Object.hasOwn(fields, `f:${step}`)) return false;
  return owns((fields as Record<string, unknown>)[`f:${step}`], rest);
}

/** What is known of a writer by its name. */
interface Known {
  readonly title: string;
  /** Whether it writes again by itself when somebody else wrote another value; absent: a person or a pipeline, once. */
  readonly insists?: 'always' | 'aboveZero';
  /** How it is kept from that. */
  readonly pause?: string;
}

const ARGO_CD: Known = {
  title: 'Argo CD',
  insists: 'always',
  pause: 'turn off selfHeal of its Application, or let it ignore /spec/replicas (ignoreDifferences)',
};
const FLUX: Known = {
  title: 'Flux',
  insists: 'always',
  pause: 'flux suspend its Kustomization or HelmRelease',
};
const KEDA: Known = {
  title: 'KEDA',
  insists: 'always',
  pause: 'annotate its ScaledObject with autoscaling.keda.sh/paused-replicas: "0"',
};
/** Disabled as long as the count of its target is zero, and at work again from one on. */
const AUTOSCALER: Known = { title: 'a HorizontalPodAutoscaler', insists: 'aboveZero' };
const PERSON: Known = { title: 'a person or a pipeline' };
const SOMEBODY: Known = { title: 'another program', insists: 'always', pause: 'pause what it works for' };

const KNOWN: readonly (readonly [RegExp, Known])[] = [
  [/^argocd/, ARGO_CD],
  [/^(kustomize-controller|helm-controller|flux)/, FLUX],
  [/^keda/, KEDA],
  // What was there before the first server-side apply is nobody's any more.
  [/^(kubectl|helm|k9s|lens|dashboard|terraform|pulumi|ansible|curl|mozilla|before-first-apply|oc$)/i, PERSON],
];

function known({ manager, subresource }: Writer): Known {
  if (manager === 'kube-controller-manager' && subresource === 'scale') return AUTOSCALER;
  return KNOWN.find(([pattern]) => pattern.test(manager))?.[1] ?? SOMEBODY;
}

/** `Argo CD (argocd-controller)`. */
export function writerTitle(writer: Writer): string {
  return `${known(writer).title} (${writer.manager})`;
}

/** How to keep it from the count while a restore needs it at zero; empty for one who does not insist. */
export function pauseAdvice(writer: Writer): string {
  return known(writer).pause ?? '';
}

/**
 * What a person should know before `what` goes to zero: one sentence for each writer that does not leave the count alone.
 * Of an autoscaler that has never written we cannot know: nothing of ours may look at autoscalers.
 */
export function writerWarnings(what: string, writers: readonly Writer[]): string[] {
  return writers.flatMap((writer) => {
    const { insists, pause } = known(writer);
    const who = writerTitle(writer);
    if (insists === 'always')
      return [
        `${what}: ${who} writes its count and may start it again during the restore, which then fails. Before it: ${pause}.`,
      ];
    if (insists === 'aboveZero')
      return [
        `${what}: ${who} writes its count. It sleeps while that is zero and wakes up when the app is back; where KEDA is behind it, ${KEDA.pause} before the restore.`,
      ];
    return [];
  });
}
