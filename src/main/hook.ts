/** What the chart runs around an installation: `apply-crds` before an install or an upgrade, `settle` before an uninstall. */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { NewCrd } from '../api/kubernetes.ts';
import { applyCrds } from '../hooks/apply-crds.ts';
import { settle } from '../hooks/settle.ts';
import { KubeCluster } from '../kube/client.ts';
import { CrdClient } from '../kube/crds.ts';
import { findCredentials } from '../kube/credentials.ts';
import { Http } from '../kube/http.ts';
import { HoldfastError, toHoldfastError } from '../lib/errors.ts';
import { scalableKinds } from './scalable-kinds.ts';

/** A decision of ours, told in the log: the Job's failure policy does not try it again. Any other end of the process, it does. */
const DECIDED = 3;

/** An API server that asks each of its peers, a machine that is busy: seconds. Much less than what the Job may take. */
const CRDS_WITHIN_MS = 90_000;

const CRDS = new URL('../../crds/', import.meta.url);

/** Helm shows the log of a hook that failed, and kubectl that of any: sentences for a person. */
function say(sentence: string): void {
  process.stdout.write(`${sentence}\n`);
}

const COMMANDS: Readonly<Record<string, (http: Http) => Promise<void>>> = {
  'apply-crds': (http) =>
    applyCrds({ crds: new CrdClient(http), wanted: crdsOfTheImage(), say, within: CRDS_WITHIN_MS }),
  settle: (http) =>
    settle({
      cluster: new KubeCluster(http),
      ...placesOf(process.env),
      scalableKinds: scalableKinds(process.env),
      say,
    }),
};

function crdsOfTheImage(): NewCrd[] {
  const files = readdirSync(CRDS).filter((name) => name.endsWith('.yaml'));
  return files.toSorted().map((name) => parse(readFileSync(new URL(name, CRDS), 'utf8')) as NewCrd);
}

/** The operator's namespace, and those that it looks after where it does not look after all. */
function placesOf(env: NodeJS.ProcessEnv): { namespace: string; watched?: readonly string[] } {
  const namespace = env['HOLDFAST_NAMESPACE'];
  if (!namespace) throw new HoldfastError('BadConfiguration', "HOLDFAST_NAMESPACE must be the operator's namespace");
  const watched = (env['HOLDFAST_WATCH_NAMESPACES'] ?? '').split(',').filter((name) => name !== '');
  return { namespace, ...(watched.length === 0 ? {} : { watched }) };
}

async function main(): Promise<void> {
  const [name = ''] = process.argv.slice(2);
  const command = COMMANDS[name];
  if (command === undefined) {
    const known = Object.keys(COMMANDS).join(', ');
    throw new HoldfastError('Usage', `there is no command "${name}": there are ${known}`);
  }
  const http = new Http(await findCredentials(process.env));
  try {
    await command(http);
  } finally {
    http.close();
  }
}

try {
  await main();
} catch (caught) {
  const { message, hint } = toHoldfastError(caught);
  say(`\n${message}`);
  if (hint !== undefined) say(`\n${hint}`);
  process.exitCode = caught instanceof HoldfastError ? DECIDED : 1;
}
