/** Brings our kinds in the cluster to what this image needs. Helm does that only where there are none. */
import type { Crd, NewCrd } from '../api/kubernetes.ts';
import type { CrdClient } from '../kube/crds.ts';
import { isAlreadyExists, isForbidden, KubeError } from '../kube/errors.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import { monotonic } from '../platform/clock.ts';
import { delay } from '../platform/delay.ts';
import { planCrd, unusable } from './crd-plan.ts';
import { RIGHTS_ARRIVE_MS } from './patience.ts';

export interface ApplyOptions {
  readonly crds: Pick<CrdClient, 'get' | 'create' | 'apply' | 'served'>;
  readonly wanted: readonly NewCrd[];
  /** A sentence for the person who reads the Job's log. */
  readonly say: (sentence: string) => void;
  /** Milliseconds for all of it. */
  readonly within: number;
  /** Milliseconds between two looks. */
  readonly every?: number;
}

/** Safe to repeat. Throws with cause and next step; what was applied by then stays, since it is what a repetition would apply. */
export async function applyCrds(options: ApplyOptions): Promise<void> {
  const deadline = monotonic() + options.within;
  for (const wanted of options.wanted) await applyOne(wanted, options, deadline);
  for (const wanted of options.wanted) await untilUsable(wanted, options, deadline);
}

async function applyOne(wanted: NewCrd, options: ApplyOptions, deadline: number): Promise<void> {
  const { name } = wanted.metadata;
  await patiently(options, deadline, `CustomResourceDefinition ${name}`, async () => {
    const found = await options.crds.get(name);
    const plan = planCrd(wanted, found);
    switch (plan.step) {
      case 'create':
        await options.crds.create(wanted);
        options.say(`${name}: made`);
        return undefined;
      case 'apply':
        options.say(`${name}: ${verdict(plan.found, await options.crds.apply(plan.found, wanted))}`);
        return undefined;
      case 'keep':
        options.say(`${name}: left as it is, of Holdfast ${plan.version}, which is newer`);
        return undefined;
      case 'wait':
        return new HoldfastError('KindLeaving', `CustomResourceDefinition ${name} is being deleted: ${plan.because}.`, {
          hint: `kubectl get ${name} --all-namespaces shows what holds it; once that is gone, try again.`,
        });
      default:
        return plan satisfies never;
    }
  });
}

/** The generation counts changes of the spec; that the hook has applied it too, after Helm, is noted elsewhere in it. */
function verdict(before: Crd, after: Crd): string {
  return before.metadata.generation === after.metadata.generation ? 'is up to date' : 'brought up to date';
}

async function untilUsable(wanted: NewCrd, options: ApplyOptions, deadline: number): Promise<void> {
  const { name } = wanted.metadata;
  const { group, versions } = wanted.spec;
  const version = versions.find(({ served }) => served)?.name ?? '';
  await patiently(options, deadline, `CustomResourceDefinition ${name}`, async () => {
    const because = unusable(wanted, await options.crds.get(name), await options.crds.served(group, version));
    if (because === undefined) return undefined;
    return new HoldfastError('KindNotServed', `CustomResourceDefinition ${name} cannot be used: ${because}.`, {
      hint: `kubectl describe crd ${name} tells why.`,
    });
  });
}

/** Repeats until there is no trouble. What heals by itself is tried again until the deadline; then the last trouble is thrown. */
async function patiently(
  { every = 500 }: ApplyOptions,
  deadline: number,
  what: string,
  attempt: () => Promise<HoldfastError | undefined>,
): Promise<void> {
  const rightsDeadline = Math.min(deadline, monotonic() + RIGHTS_ARRIVE_MS);
  for (;;) {
    const trouble = await attempt().catch((error: unknown) => explained(error, what));
    if (trouble === undefined) return;
    if (monotonic() > (trouble.reason === 'Forbidden' ? rightsDeadline : deadline)) throw trouble;
    await delay(every);
  }
}

/** Trouble that may pass is returned, any other thrown, either with its next step. */
function explained(error: unknown, what: string): HoldfastError {
  if (!(error instanceof KubeError)) throw error;
  // Somebody made it in between: the next look finds it.
  if (error.outlook === 'retry' || isAlreadyExists(error)) {
    return new HoldfastError(error.reason, `${what}: the API server did not carry it out: ${messageOf(error)}`, {
      hint: 'Once it answers, run the same helm command again.',
      cause: error,
    });
  }
  if (isForbidden(error)) return forbidden(what, error);
  throw refused(what, error);
}

const BY_HAND = 'kubectl apply --server-side --force-conflicts -f crds/';

function forbidden(what: string, error: KubeError): HoldfastError {
  return new HoldfastError('Forbidden', `${what}: the hook's account may not do that: ${messageOf(error)}`, {
    hint: `The chart gives it the right where whoever runs helm may give it. Else let an administrator of the cluster run "${BY_HAND}" with the files of the chart, and set crds.upgrade=false.`,
    cause: error,
  });
}

function refused(what: string, error: KubeError): HoldfastError {
  return new HoldfastError(error.reason, `${what} was refused: ${messageOf(error)}`, {
    hint: `An admission policy, or an object that an earlier version stored, is in the way. Mend what the message names and run the same helm command again; "${BY_HAND}" shows the same refusal without Helm.`,
    cause: error,
  });
}
