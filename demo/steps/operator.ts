/** Installs Holdfast as anybody would: `helm upgrade --install` of the chart. */
import { join } from 'node:path';
import { CommandFailed, run } from '../../test/cluster/command.ts';
import type { DemoCluster } from '../context.ts';
import { Kubectl } from '../kubectl.ts';
import { CLUSTER_NAME, OPERATOR_NAMESPACE, RELEASE } from '../objects.ts';
import { Problem } from '../problem.ts';
import { command, during, proof, tell, title } from '../say.ts';

const CHART = join(import.meta.dirname, '..', '..', 'helm', 'holdfast');

export async function installOperator(cluster: DemoCluster): Promise<void> {
  title('The operator');
  tell(
    'One Helm chart: two replicas of the operator, its kinds, and rights without a single verb on Secrets. The only value without a default is the name of the cluster.',
  );
  const arguments_ = helmArguments(cluster);
  command(`helm upgrade --install ${RELEASE} helm/holdfast -n ${OPERATOR_NAMESPACE} --set clusterName=${CLUSTER_NAME}`);
  await during('installing the chart', () => helm(cluster, arguments_));

  const kubectl = new Kubectl(cluster.kubectl, cluster.kubeconfig, OPERATOR_NAMESPACE);
  command(`kubectl -n ${OPERATOR_NAMESPACE} rollout status deployment/${RELEASE}`);
  await during('waiting for both replicas', () => rolledOut(kubectl));

  const account = `system:serviceaccount:${OPERATOR_NAMESPACE}:${RELEASE}`;
  command(`kubectl auth can-i get secrets --all-namespaces --as=${account}`);
  if (await canReadSecrets(kubectl, account)) {
    throw new Problem(
      'The operator may read Secrets, which it must not.',
      'Somebody bound more rights to its account.',
    );
  }
  proof('The operator runs, and the API server says no: it may read no Secret anywhere.');
}

async function helm(cluster: DemoCluster, args: readonly string[]): Promise<void> {
  try {
    await run(cluster.helm, args);
  } catch (error) {
    const why = error instanceof CommandFailed ? error.stderr.trim() : String(error);
    throw new Problem(`Helm could not install the chart: ${why}`, 'npm run demo -- --down, then npm run demo.', {
      cause: error,
    });
  }
}

function helmArguments(cluster: DemoCluster): string[] {
  const image = splitImage(cluster.images.holdfast);
  const values = {
    clusterName: CLUSTER_NAME,
    'image.repository': image.repository,
    'image.tag': image.tag,
  };
  return [
    ...['upgrade', '--install', RELEASE, CHART, '--kubeconfig', cluster.kubeconfig],
    ...['--namespace', OPERATOR_NAMESPACE, '--create-namespace'],
    ...Object.entries(values).flatMap(([key, value]) => ['--set-string', `${key}=${value}`]),
  ];
}

/** `registry:5000/name:tag` at its last colon, which is no port. */
export function splitImage(reference: string): { repository: string; tag: string } {
  const colon = reference.lastIndexOf(':');
  if (colon < 0 || reference.includes('/', colon)) return { repository: reference, tag: 'latest' };
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}

async function rolledOut(kubectl: Kubectl): Promise<void> {
  try {
    await kubectl.rolledOut(RELEASE, '120s');
  } catch (error) {
    const pods = await kubectl.call(['get', 'pods', '-o', 'wide']).catch(() => '');
    const log = await kubectl.call(['logs', `deployment/${RELEASE}`, '--tail=15']).catch(() => 'no log');
    throw new Problem(
      'The operator does not get ready within two minutes.',
      `kubectl -n ${OPERATOR_NAMESPACE} describe pods`,
      { facts: `${pods}\n${log}`, cause: error },
    );
  }
}

/** `can-i` says no with exit code 1. */
async function canReadSecrets(kubectl: Kubectl, account: string): Promise<boolean> {
  const question = ['auth', 'can-i', 'get', 'secrets', '--all-namespaces', `--as=${account}`];
  return kubectl.call(question).then(
    (answer) => answer.trim() === 'yes',
    (error: unknown) => {
      if (error instanceof CommandFailed && error.message.includes('ended with 1')) return false;
      throw error;
    },
  );
}
