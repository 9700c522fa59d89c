/** An account of the chart, with the rights that the chart gives it, on an API server of a test. */
import { stringify } from 'yaml';
import { waitFor } from '../cluster/wait.ts';
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
  const user = `system:serviceaccount:holdfast-system:${account}`;
  await waitFor(() => isGranted(kubeconfig, user, rights), {
    timeoutMs: 20_000,
    otherwise: () => `${user} does not have its rights`,
  });
  return user;
}

interface Binding {
  readonly roleRef: { readonly name: string };
}

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** The API server learns of new roles by watching them, like anybody else: whether it knows of the binding that came last. */
async function isGranted(kubeconfig: string, user: string, rights: readonly Manifest[]): Promise<boolean> {
  const binding = rights.findLast(({ kind }) => kind === 'ClusterRoleBinding') as (Manifest & Binding) | undefined;
  const role = rights.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === binding?.roleRef.name);
  const rules = (role?.['rules'] ?? []) as readonly Rule[];
  const plain = ({ resources: [name] = [], resourceNames }: Rule) =>
    name !== undefined && !name.includes('/') && resourceNames === undefined;
  const {
    apiGroups: [group] = [],
    resources: [resource] = [],
    verbs: [verb] = [],
  } = rules.find(plain) ?? { verbs: [] };
  if (resource === undefined || verb === undefined) return true;
  const what = group === '' ? resource : `${resource}.${group}`;
  // It ends with 1 for no, which is "not yet".
  return (await kubectl(kubeconfig, ['auth', 'can-i', verb, what, '-A', `--as=${user}`])).trim() === 'yes';
}

const isOf = (name: string, account: string) => name === account || name.startsWith(`${account}-`);
