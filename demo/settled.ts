/** Follows a Backup or a Restore to its end, and tells what it is at. */
import { type Condition, isTrue } from '../src/api/conditions.ts';
import { formatDuration } from '../src/lib/duration.ts';
import type { Failure } from '../src/lib/errors.ts';
import type { Kubectl } from './kubectl.ts';
import { Problem } from './problem.ts';
import type { Progress } from './say.ts';

export interface Run {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status?: {
    readonly phase?: string;
    readonly jobName?: string;
    readonly failure?: Failure;
    readonly conditions?: readonly Condition[];
  };
}

const POLL_MS = 500;

const LOG_LINE = 300;

/** The demo's database is small: what takes longer than this hangs. */
const PATIENCE_MS = 300_000;

/** A run tries again by itself. Everything that it needs is there before it is asked for, so that seldom helps here for longer. */
const RETRYING_PATIENCE_MS = 75_000;

export const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export function isOver(run: Run): boolean {
  return isTrue(run.status?.conditions, 'Complete') || isTrue(run.status?.conditions, 'Failed');
}

/** The object once it is Complete. Throws a Problem with what its status says when it fails, or gets nowhere. */
export async function complete<T extends Run>(
  kubectl: Kubectl,
  resource: 'backup' | 'restore',
  name: string,
  progress: Progress,
): Promise<T> {
  const started = performance.now();
  let troubledSince = Number.POSITIVE_INFINITY;
  for (;;) {
    const run = await kubectl.get<T>(resource, name);
    if (run?.status?.failure !== undefined) troubledSince = Math.min(troubledSince, performance.now());
    if (run === undefined)
      throw new Problem(`${resource} ${name} is gone: somebody deleted it.`, 'Run the demo again.');
    if (isTrue(run.status?.conditions, 'Complete')) return run;
    const now = performance.now();
    const stuck = now - started > PATIENCE_MS || now - troubledSince > RETRYING_PATIENCE_MS;
    if (isTrue(run.status?.conditions, 'Failed') || stuck) throw await unhappy(kubectl, resource, run, now - started);
    progress.update(stateOf(run));
    await pause(POLL_MS);
  }
}

/** One line: the phase, and what it waits for. */
export function stateOf(run: Run): string {
  const phase = run.status?.phase ?? 'not seen by the operator yet';
  const failure = run.status?.failure;
  return failure === undefined ? phase : `${phase}: ${failure.reason}: ${failure.message}`;
}

async function unhappy(kubectl: Kubectl, resource: string, run: Run, waited: number): Promise<Problem> {
  const { name } = run.metadata;
  const { failure, phase, conditions } = run.status ?? {};
  const what = isTrue(conditions, 'Failed')
    ? 'failed'
    : `is ${phase ?? 'untouched by the operator'} after ${formatDuration(waited)}`;
  const because = failure === undefined ? '' : `: ${failure.message}`;
  return new Problem(
    `${resource} ${name} ${what}${because}`,
    failure?.hint ?? `Look at it: kubectl -n ${kubectl.namespace} describe ${resource} ${name}`,
    { facts: await factsOf(kubectl, resource, run) },
  );
}

/** What `kubectl describe` would tell, cut to what matters: conditions, events, the last words of the Job. */
export async function factsOf(kubectl: Kubectl, resource: string, run: Run): Promise<string> {
  const conditions = (run.status?.conditions ?? []).map((c) => `  ${c.type}=${c.status} ${c.reason}: ${c.message}`);
  const facts = [
    `conditions of ${resource}/${run.metadata.name}:`,
    ...(conditions.length > 0 ? conditions : ['  none']),
  ];
  const events = await eventsOf(kubectl, run.metadata.uid);
  if (events !== '') facts.push('events:', events);
  const job = run.status?.jobName;
  if (job !== undefined) facts.push(`last lines of job/${job}:`, await logOf(kubectl, job));
  return facts.join('\n');
}

function eventsOf(kubectl: Kubectl, uid: string): Promise<string> {
  const columns = 'custom-columns=:.type,:.reason,:.message';
  return kubectl
    .call(['get', 'events', `--field-selector=involvedObject.uid=${uid}`, '--no-headers', '-o', columns])
    .then(
      (text) => text.trimEnd(),
      () => '',
    );
}

function logOf(kubectl: Kubectl, job: string): Promise<string> {
  return kubectl
    .call(['logs', `job/${job}`, '--tail=15', '--all-containers'])
    .then((log) => log.trimEnd().split('\n').map(shortened).join('\n'))
    .catch(() => '  (no log: its pod is gone)');
}

/** A log line holds a stack trace, of which the beginning is enough here. */
function shortened(line: string): string {
  return line.length <= LOG_LINE ? line : `${line.slice(0, LOG_LINE)}…`;
}
