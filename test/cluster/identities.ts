/** Who the parts of a cluster are to each other. */
import type { Addresses } from './addresses.ts';
import type { Identity } from './pki.ts';

/** Every certificate of a cluster. Those that are clients have a kubeconfig of the same name. */
export function identitiesOf(addresses: Addresses): { servers: Identity[]; clients: Identity[] } {
  const dnsNames = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost'];
  return {
    servers: [
      {
        file: 'apiserver',
        commonName: 'kube-apiserver',
        alternativeNames: [
          ...[addresses.node, '127.0.0.1', addresses.kubernetesService].map((address) => `IP:${address}`),
          ...[...dnsNames, 'kubernetes.default.svc.cluster.local'].map((name) => `DNS:${name}`),
        ],
      },
      {
        file: 'apiserver-kubelet-client',
        commonName: 'kube-apiserver-kubelet-client',
        organization: 'system:masters',
      },
    ],
    clients: [
      { file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters' },
      { file: 'kube-controller-manager', commonName: 'system:kube-controller-manager' },
      { file: 'kube-scheduler', commonName: 'system:kube-scheduler' },
      { file: 'kube-proxy', commonName: 'system:kube-proxy' },
      { file: 'kubelet', commonName: `system:node:${addresses.nodeName}`, organization: 'system:nodes' },
    ],
  };
}
