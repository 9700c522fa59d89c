/** Whether a node is ready now, and not only according to a status from before a crash. */
import { kubectl } from './kubectl.ts';

const READY = `{.status.conditions[?(@.type=="Ready")].status}`;

/** `since`: when the kubelet was started, or undefined when it has been running. */
export async function nodeReady(kubeconfig: string, node: string, since: Date | undefined): Promise<boolean> {
  const ready = await kubectl(kubeconfig, ['get', 'node', node, '-o', `jsonpath=${READY}`]);
  if (ready !== 'True' || since === undefined) return ready === 'True';
  // The kubelet renews this Lease first of all, then every ten seconds.
  const lease = ['get', 'lease', node, '--namespace', 'kube-node-lease', '-o', 'jsonpath={.spec.renewTime}'];
  return new Date(await kubectl(kubeconfig, lease)) >= since;
}
