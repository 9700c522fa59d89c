/** Names and addresses of cluster N: none is shared with cluster M, so both run side by side. */

export interface Addresses {
  /** "kc2": the bridge, the cgroup, the folder. */
  name: string;
  nodeName: string;
  /** The host's end of the cable to the node; the node's end is its eth0. */
  cable: string;
  /** The host on the bridge: what a pod uses to reach a server on the host. */
  host: string;
  node: string;
  apiServer: string;
  /** A node's pods, and the range that all of them come from. */
  pods: string;
  podRange: string;
  serviceRange: string;
  /** The Service of the API server is always the first address of the range. */
  kubernetesService: string;
  dnsService: string;
}

/** One digit keeps the names of network devices short and the subnets apart. */
const LAST_NUMBER = 9;

export function addressesOf(number: number): Addresses {
  if (!Number.isInteger(number) || number < 1 || number > LAST_NUMBER) {
    throw new Error(`a cluster has a number from 1 to ${LAST_NUMBER}, not ${number}`);
  }
  const name = `kc${number}`;
  const node = `172.30.${number}.11`;
  return {
    name,
    nodeName: `${name}-n1`,
    cable: `${name}n1`,
    host: `172.30.${number}.1`,
    node,
    apiServer: `https://${node}:6443`,
    pods: `10.${100 + number}.1.0/24`,
    podRange: `10.${100 + number}.0.0/16`,
    serviceRange: `10.${200 + number}.0.0/16`,
    kubernetesService: `10.${200 + number}.0.1`,
    dnsService: `10.${200 + number}.0.10`,
  };
}
