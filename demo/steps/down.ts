/** Removes what the demo made: the whole cluster, or what it put into a person's own. */
import { rm } from 'node:fs/promises';
import { KINDS } from '../../src/api/crd.ts';
import { GROUP } from '../../src/api/meta.ts';
import { clusterStatus, downCluster } from '../../test/cluster/cluster.ts';
import { run } from '../../test/cluster/command.ts';
import { FOLDER } from '../files.ts';
import { Kubectl } from '../kubectl.ts';
import { NAMESPACE, OPERATOR_NAMESPACE, RELEASE } from '../objects.ts';
import type { Options } from '../options.ts';
import { during, proof, tell } from '../say.ts';
import { DEMO_CLUSTER } from './cluster.ts';
import { removeKindCluster } from './kind.ts';
import { refuseForeign, yourPrograms } from './your-cluster.ts';

export async function takeDown(options: Options): Promise<void> {
  if (options.kubeconfig === undefined) {
    await during('removing the cluster', removeClusters);
  } else {
    await clearYours(options.kubeconfig);
  }
  await rm(FOLDER, { recursive: true, force: true });
  proof('Nothing of the demo is left but built programs and images in the cache folder.');
}

/** Whichever of the two there is. */
async function removeClusters(): Promise<void> {
  await removeKindCluster();
  if ((await clusterStatus({ number: DEMO_CLUSTER })).state !== 'absent') await downCluster({ number: DEMO_CLUSTER });
}

/** Our objects first, while the operator is there to end them; the CRDs last, which Helm would leave. */
async function clearYours(kubeconfig: string): Promise<void> {
  const { kubectl: program, helm } = await yourPrograms();
  await refuseForeign({ kubeconfig, kubectl: program, helm });
  const kubectl = new Kubectl(program, kubeconfig, NAMESPACE);
  const remove = (...args: string[]) => kubectl.call(['delete', '--ignore-not-found', '--timeout=120s', ...args]);
  if ((await kubectl.get('namespace', NAMESPACE)) !== undefined) {
    await during(`removing namespace ${NAMESPACE}`, async () => {
      await remove('restores,backups', '--all').catch(withoutKinds);
      await remove('namespace', NAMESPACE);
    });
  }
  await during('removing the operator', async () => {
    const place = ['--kubeconfig', kubeconfig, '--namespace', OPERATOR_NAMESPACE];
    await run(helm, ['uninstall', RELEASE, ...place, '--ignore-not-found', '--wait']);
    await remove('namespace', OPERATOR_NAMESPACE);
  });
  await removeKinds(kubectl, remove);
}

/** With a CRD goes every object of its kind, so those stay that somebody else made use of. */
async function removeKinds(kubectl: Kubectl, remove: (...args: string[]) => Promise<string>): Promise<void> {
  for (const { plural } of KINDS) {
    const name = `${plural}.${GROUP}`;
    if ((await kubectl.get('crd', name)) === undefined) continue;
    const left = await kubectl.call(['get', name, '--all-namespaces', '-o', 'name']);
    if (left.trim() === '') await remove('crd', name);
    else tell(`${name} stays: there are objects of it in other namespaces.`);
  }
}

/** Where the kinds were never installed there is nothing of them to remove. */
function withoutKinds(error: unknown): void {
  if (!String(error).includes("doesn't have a resource type")) throw error;
}
