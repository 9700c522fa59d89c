/** Namespaces on an API server without their controller: a test plays it. */
import { parseAllDocuments } from 'yaml';
import { renderText } from '../unit/chart/render.ts';
import { kubectl } from './kube-crds.ts';

/** The operator's account as the chart names it. */
export const OPERATOR = 'system:serviceaccount:holdfast-system:holdfast';

/** The very Roles and RoleBindings that the chart makes for an operator of these namespaces, by the namespace they are in. */
export async function rolesOf(namespaces: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const file = { clusterName: 'test', watchNamespaces: namespaces };
  const text = await renderText({}, { file, show: ['templates/roles.yaml'] });
  const found = new Map<string, string>();
  for (const document of parseAllDocuments(text)) {
    const { metadata } = document.toJS() as { metadata: { namespace: string } };
    found.set(metadata.namespace, `${found.get(metadata.namespace) ?? ''}---\n${document.toString()}`);
  }
  return found;
}

export async function newNamespace(kubeconfig: string, name: string, roles?: string): Promise<void> {
  await kubectl(kubeconfig, ['create', 'namespace', name]);
  if (roles !== undefined) await kubectl(kubeconfig, ['apply', '-f', '-'], roles);
}

const CONTENT = ['backupstores,backupkeys,backupschedules,backups,restores', 'jobs,pods,leases'];

/** What the namespace controller does, the operator's rights first: which of it goes first is chance in a cluster. */
export async function deleteNamespace(kubeconfig: string, name: string): Promise<void> {
  await kubectl(kubeconfig, ['delete', 'namespace', name, '--wait=false']);
  for (const kinds of ['rolebindings,roles', ...CONTENT]) {
    await kubectl(kubeconfig, ['delete', kinds, '--all', '-n', name, '--wait=false', '--grace-period=0', '--force']);
  }
  const path = `/api/v1/namespaces/${name}`;
  const found = JSON.parse(await kubectl(kubeconfig, ['get', '--raw', path])) as { spec: object };
  const ended = JSON.stringify({ ...found, spec: { finalizers: [] } });
  await kubectl(kubeconfig, ['replace', '--raw', `${path}/finalize`, '-f', '-'], ended);
}
