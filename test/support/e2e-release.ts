/** The release that all end-to-end tests share: installed as anybody would, by Helm. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kubectl } from '../../demo/kubectl.ts';
import { run } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { CLUSTER_NAME, OPERATOR_NAMESPACE } from './e2e-world.ts';

export const RELEASE = 'holdfast';

const CHART = join(import.meta.dirname, '..', '..', 'helm', 'holdfast');

const PREVIOUS_CHART = join(import.meta.dirname, 'charts', 'holdfast-0.1.0.tgz');

/**
 * The chart of 0.1.0 as it was packaged, with the CRDs of its time, in a folder. The image of its time is not to be had: today's stands in, whose
 * programs lie elsewhere.
 */
export async function previousChart(folder: string): Promise<string> {
  await run('tar', ['-xzf', PREVIOUS_CHART, '-C', folder]);
  const chart = join(folder, 'holdfast');
  const deployment = join(chart, 'templates', 'deployment.yaml');
  const then = (await readFile(deployment, 'utf8')).split('/holdfast/src/main/controller.ts');
  if (then.length !== 2) throw new Error(`${PREVIOUS_CHART} does not start the operator as it is known to`);
  await writeFile(deployment, then.join('/holdfast/dist/main/controller.mjs'));
  return chart;
}

export interface ReleasePlace {
  readonly kubectl: string;
  readonly kubeconfig: string;
  /** Of the operator and of what it starts. */
  readonly image: string;
}

export async function helm({ kubeconfig }: Pick<ReleasePlace, 'kubeconfig'>, args: readonly string[]): Promise<string> {
  return run(await program('helm'), [...args, '--kubeconfig', kubeconfig, '--namespace', OPERATOR_NAMESPACE]);
}

/** Installs a chart, or upgrades to it, and waits until the operator is ready. The namespace enforces the restricted level. */
export async function installRelease(place: ReleasePlace, chart = CHART): Promise<void> {
  const cluster = new Kubectl(place.kubectl, place.kubeconfig, OPERATOR_NAMESPACE);
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await cluster.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: OPERATOR_NAMESPACE, labels } }]);
  const [repository = '', tag = ''] = place.image.split(':');
  const values = { clusterName: CLUSTER_NAME, 'image.repository': repository, 'image.tag': tag, logLevel: 'debug' };
  await helm(place, [
    ...['upgrade', '--install', RELEASE, chart, '--reset-values'],
    ...Object.entries(values).flatMap(([key, value]) => ['--set-string', `${key}=${value}`]),
  ]);
  await cluster.rolledOut(RELEASE);
}
