/** Waits for what an object says, by watching it. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kubectl } from '../../demo/kubectl.ts';
import { factsOf, type Run } from '../../demo/settled.ts';
import { isTrue } from '../../src/api/conditions.ts';
import { placeOf } from '../cluster/place.ts';
import { E2E_CLUSTER } from './e2e-world.ts';

/** Longer than anything of these small databases takes, on a machine that is busy with other things too. */
const PATIENCE_SECONDS = 120;

interface Waiting<T> {
  readonly seconds?: number;
  /** What makes it pointless to wait on. */
  readonly hopeless?: (object: T) => boolean;
}

/** The object at the moment when `holds` says true of it. Fails with all that the cluster knows when that never comes. */
export async function until<T>(
  kubectl: Kubectl,
  resource: string,
  name: string,
  holds: (object: T) => boolean,
  { seconds = PATIENCE_SECONDS, hopeless = () => false }: Waiting<T> = {},
): Promise<T> {
  const patience = AbortSignal.timeout(seconds * 1000);
  let last: T | undefined;
  while (!patience.aborted) {
    for await (const object of watch<T>(kubectl, resource, name, patience)) {
      last = object;
      if (holds(object)) return object;
      if (hopeless(object)) throw new Error(`will never be: ${await explain(kubectl, resource, object)}`);
    }
    // The object is not there yet, or the watch came to an end.
    await sleep(300);
  }
  throw new Error(`not within ${seconds} s: ${await explain(kubectl, resource, last)}`);
}

/** The object as it is, and again at each change. Ends when there is none, or with the signal. */
async function* watch<T>(kubectl: Kubectl, resource: string, name: string, signal: AbortSignal): AsyncGenerator<T> {
  const argv = ['--kubeconfig', kubectl.kubeconfig, '--namespace', kubectl.namespace];
  const child = spawn(kubectl.program, [...argv, 'get', resource, name, '--watch', '-o', 'json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    signal,
  });
  child.on('error', () => undefined);
  const closed = new Promise((resolve) => child.once('close', resolve));
  try {
    let text = '';
    for await (const chunk of child.stdout.setEncoding('utf8')) {
      text += chunk;
      // kubectl indents: only the end of an object is a brace at the start of a line.
      const parts = text.split(/^\}\n/m);
      text = parts.pop() ?? '';
      for (const part of parts) yield JSON.parse(`${part}}`) as T;
    }
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
}

/** What else of the namespace tells why something does not come: the whole cluster is gone when a person reads it. */
const AROUND = [
  ['get', 'pods', '-o', 'wide'],
  ['get', 'events', '--sort-by=.lastTimestamp', '--field-selector=involvedObject.kind=Pod'],
] as const;

const LINES_OF_A_LOG = 40;

async function explain(kubectl: Kubectl, resource: string, object: unknown): Promise<string> {
  if (object === undefined) return `there is no ${resource} of that name in ${kubectl.namespace}`;
  const run = object as Run;
  const facts = await factsOf(kubectl, resource, run).catch(String);
  const around = await Promise.all(AROUND.map((args) => kubectl.call(args).catch(String)));
  const status = JSON.stringify(run.status ?? {}, undefined, 2);
  return [`${resource} ${run.metadata.name} is ${status}`, facts, ...around, await nodeSays(kubectl.namespace)].join(
    '\n',
  );
}

/** What the node did for the pods of a namespace, as its own programs tell it. */
async function nodeSays(namespace: string): Promise<string> {
  const logs = join(placeOf(E2E_CLUSTER).dir, 'log');
  const lines = await Promise.all(
    ['kubelet', 'containerd', 'kube-scheduler'].map(async (name) => {
      const text = await readFile(join(logs, `${name}.log`), 'utf8').catch(() => '');
      return text
        .split('\n')
        .filter((line) => line.includes(namespace))
        .slice(-LINES_OF_A_LOG);
    }),
  );
  return lines.flat().join('\n');
}

const isComplete = (run: Run) => isTrue(run.status?.conditions, 'Complete');
const isFailed = (run: Run) => isTrue(run.status?.conditions, 'Failed');

export function untilComplete<T extends Run>(
  kubectl: Kubectl,
  resource: string,
  name: string,
  seconds?: number,
): Promise<T> {
  return until<T>(kubectl, resource, name, isComplete, {
    hopeless: isFailed,
    ...(seconds === undefined ? {} : { seconds }),
  });
}

export function untilFailed<T extends Run>(
  kubectl: Kubectl,
  resource: string,
  name: string,
  seconds?: number,
): Promise<T> {
  return until<T>(kubectl, resource, name, isFailed, {
    hopeless: isComplete,
    ...(seconds === undefined ? {} : { seconds }),
  });
}

/** What waits says for what within a minute. */
const SAID_WITHIN_SECONDS = 60;

/** Until it waits, and says for what. */
export function untilPending<T extends Run>(
  kubectl: Kubectl,
  resource: string,
  name: string,
  reason: string,
): Promise<T> {
  return until<T>(
    kubectl,
    resource,
    name,
    ({ status }) => status?.phase === 'Pending' && status.failure?.reason === reason,
    { seconds: SAID_WITHIN_SECONDS, hopeless: (run) => isComplete(run) || isFailed(run) },
  );
}

/** Asks again until the answer is true; for what has no watch. */
export async function eventually(
  what: string,
  there: () => Promise<boolean>,
  seconds = PATIENCE_SECONDS,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await there())) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(300);
  }
}
