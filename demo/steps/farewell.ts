/** What to do with the cluster that is left standing. */
import { dirname, isAbsolute } from 'node:path';
import type { Demo } from '../context.ts';
import type { Options } from '../options.ts';
import { bold, line, tell, title } from '../say.ts';

export function farewell(demo: Demo, options: Options, took: string): void {
  const { cluster, kubectl } = demo;
  title(`Done, in ${took}.`);
  tell('The cluster stays up. To look around:');
  line();
  for (const typed of [
    `export KUBECONFIG=${cluster.kubeconfig}${pathOf(cluster.kubectl)}`,
    `kubectl -n ${kubectl.namespace} get holdfast`,
    `kubectl -n ${kubectl.namespace} describe restore ${demo.name}`,
  ]) {
    line(`     ${bold(typed)}`);
  }
  line();
  const place = options.kubeconfig === undefined ? '' : ` --kubeconfig ${options.kubeconfig}`;
  tell(`The same command runs it again on the same cluster; npm run demo --${place} --down removes all of it.`);
}

/** A kubectl that was built here is on nobody's PATH. */
function pathOf(kubectl: string): string {
  return isAbsolute(kubectl) ? ` PATH=${dirname(kubectl)}:$PATH` : '';
}
