/** What to do with the cluster that is left standing. */
import { dirname } from 'node:path';
import type { Demo } from '../context.ts';
import { bold, line, tell, title } from '../say.ts';

export function farewell(demo: Demo, took: string): void {
  const { cluster, kubectl } = demo;
  title(`Done, in ${took}.`);
  tell('The cluster stays up. To look around:');
  line();
  for (const typed of [
    `export KUBECONFIG=${cluster.kubeconfig} PATH=${dirname(cluster.kubectl)}:$PATH`,
    `kubectl -n ${kubectl.namespace} get holdfast`,
    `kubectl -n ${kubectl.namespace} describe restore ${demo.name}`,
  ]) {
    line(`     ${bold(typed)}`);
  }
  line();
  tell('npm run demo runs it again on the same cluster; npm run demo -- --down removes all of it.');
}
