/**
 * What `helm test` runs: whether that which the chart installed works, seen by an account that may read three objects at most.
 * A line per finding on standard output; exit code 0 only where all of them are good.
 */
import type { Condition } from '../api/conditions.ts';
import type { KubeObject } from '../api/kubernetes.ts';
import { API_VERSION, GROUP } from '../api/meta.ts';
import { findCredentials } from '../kube/credentials.ts';
import { Http } from '../kube/http.ts';
import { KIND, type KindRef } from '../kube/kinds.ts';
import { objectPath } from '../kube/paths.ts';
import { messageOf } from '../lib/errors.ts';
import { monotonic } from '../platform/clock.ts';
import { delay } from '../platform/delay.ts';

/** A new store is tried by a Job, whose image may have to arrive first. */
const PATIENCE_MS = Number(process.env['HOLDFAST_TEST_SECONDS'] ?? '120') * 1000;

const PAUSE_MS = 1_000;

/** What is found wrong, in words with the next step; undefined: nothing. */
type Check = () => Promise<string | undefined>;

const OURS: readonly KindRef[] = Object.values(KIND).filter(({ apiVersion }) => apiVersion === API_VERSION);

const NEXT = {
  operator: "kubectl get pods shows the operator's, kubectl logs tells more.",
  kinds: 'helm upgrade brings them, or: kubectl apply --server-side --force-conflicts -f crds/',
} as const;

const http = new Http(await findCredentials(process.env));

const CHECKS: readonly { readonly what: string; readonly check: Check }[] = [
  { what: 'the operator is ready', check: operatorIsReady },
  { what: 'the API server serves our kinds', check: kindsAreServed },
  ...objects(),
];

const deadline = monotonic() + PATIENCE_MS;
for (const { what, check } of CHECKS) {
  const trouble = await patiently(check);
  process.stdout.write(
    `${trouble === undefined ? 'ok' : 'FAILED'}: ${what}${trouble === undefined ? '' : `: ${trouble}`}\n`,
  );
  if (trouble !== undefined) process.exitCode = 1;
}
http.close();

/** All checks share one patience: what comes late in the row has waited already. */
async function patiently(check: Check): Promise<string | undefined> {
  for (;;) {
    const trouble = await check().catch(messageOf);
    if (trouble === undefined || monotonic() >= deadline) return trouble;
    await delay(PAUSE_MS);
  }
}

async function operatorIsReady(): Promise<string | undefined> {
  const url = process.env['HOLDFAST_TEST_OPERATOR'] ?? '';
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch((caught: Error) => caught);
  if (answer instanceof Error) return `${url} does not answer (${messageOf(answer.cause ?? answer)}). ${NEXT.operator}`;
  const text = (await answer.text()).trim();
  return answer.ok ? undefined : `${url} says ${answer.status}: ${text}. ${NEXT.operator}`;
}

async function kindsAreServed(): Promise<string | undefined> {
  const served = await http.json<{ resources: readonly { name: string }[] }>({
    method: 'GET',
    path: `/apis/${API_VERSION}`,
  });
  const names = new Set(served.resources.map(({ name }) => name));
  const missing = OURS.filter(({ plural }) => !names.has(plural)).map(({ plural }) => plural);
  return missing.length === 0 ? undefined : `${missing.join(', ')} missing. ${NEXT.kinds}`;
}

/** Of a release whose values ask for a schedule. */
function objects(): { what: string; check: Check }[] {
  const { HOLDFAST_TEST_NAMESPACE: namespace, HOLDFAST_TEST_NAME: name } = process.env;
  if (!namespace || !name) return [];
  return [KIND.backupStore, KIND.backupKey, KIND.backupSchedule].map((kind: KindRef) => ({
    what: `${kind.kind} ${namespace}/${name} is Ready`,
    check: () => isReady(kind, { namespace, name }),
  }));
}

interface WithConditions extends KubeObject {
  readonly status?: { readonly conditions?: readonly Condition[] };
}

async function isReady(kind: KindRef, place: { namespace: string; name: string }): Promise<string | undefined> {
  const { metadata, status } = await http.json<WithConditions>({ method: 'GET', path: objectPath(kind, place) });
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready === undefined || ready.observedGeneration !== metadata.generation) {
    return `the operator has not looked at it. kubectl -n ${place.namespace} describe ${kind.plural}.${GROUP} ${place.name}`;
  }
  return ready.status === 'True' ? undefined : `${ready.reason}: ${ready.message}`;
}
