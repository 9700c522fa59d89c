/** An account of the chart, with the rights that the chart gives it, on an API server of a test. */
import { stringify } from 'yaml';
import { type Manifest, render } from '../unit/chart/render.ts';
import { kubectl } from './kube-crds.ts';

const RIGHTS = ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'];

/** Installs the chart's roles whose name begins like the account's, and returns the name that a request impersonates. */
export async function chartAccount(
  kubeconfig: string,
  account: string,
  values: Readonly<Record<string, string>> = {},
): Promise<string> {
  const manifests = await render({ clusterName: 'test', ...values });
  const rights = manifests.filter(({ kind, metadata }) => RIGHTS.includes(kind) && isOf(metadata.name, account));
  if (rights.length === 0) throw new Error(`the chart gives ${account} no rights`);
  await kubectl(kubeconfig, ['apply', '-f', '-'], rights.map((each: Manifest) => stringify(each)).join('---\n'));
  return `system:serviceaccount:holdfast-system:${account}`;
}

const isOf = (name: string, account: string) => name === account || name.startsWith(`${account}-`);
