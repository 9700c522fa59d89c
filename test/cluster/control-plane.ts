/** The flags of the control plane, and who its parts are to the API server. */
import { join } from 'node:path';
import type { Addresses } from './addresses.ts';
import { etcdFlags } from './etcd.ts';
import type { Identity } from './pki.ts';

export interface ControlPlanePlace {
  addresses: Addresses;
  /** The cluster's folder. */
  dir: string;
}

const ETCD = 'http://127.0.0.1:2379';
const ETCD_PEERS = 'http://127.0.0.1:2380';

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

/** etcd on the loopback of the node's own network. */
export function clusterEtcdFlags({ dir }: ControlPlanePlace): string[] {
  return etcdFlags({ dataDir: join(dir, 'etcd'), clients: ETCD, peers: ETCD_PEERS });
}

export function apiServerFlags({ addresses, dir }: ControlPlanePlace): string[] {
  const pki = (file: string) => join(dir, 'pki', file);
  return [
    ...['--etcd-servers', ETCD, '--event-ttl', '1h'],
    ...['--bind-address', addresses.node, '--advertise-address', addresses.node, '--secure-port', '6443'],
    ...['--service-cluster-ip-range', addresses.serviceRange],
    ...['--tls-cert-file', pki('apiserver.crt'), '--tls-private-key-file', pki('apiserver.key')],
    ...['--client-ca-file', pki('ca.crt')],
    ...['--service-account-key-file', pki('sa.pub'), '--service-account-signing-key-file', pki('sa.key')],
    ...['--service-account-issuer', 'https://kubernetes.default.svc.cluster.local'],
    ...['--authorization-mode', 'Node,RBAC', '--enable-admission-plugins', 'NodeRestriction'],
    '--allow-privileged=true',
    // Logs and exec: nobody here resolves the node's name.
    ...['--kubelet-preferred-address-types', 'InternalIP'],
    ...['--kubelet-client-certificate', pki('apiserver-kubelet-client.crt')],
    ...['--kubelet-client-key', pki('apiserver-kubelet-client.key')],
    ...['--audit-policy-file', join(dir, 'audit-policy.yaml'), '--audit-log-path', auditLog(dir)],
    ...['--audit-log-maxsize', '50', '--audit-log-maxbackup', '1'],
  ];
}

export function controllerManagerFlags({ dir }: ControlPlanePlace): string[] {
  const pki = (file: string) => join(dir, 'pki', file);
  return [
    ...kubeconfigFlags(dir, 'kube-controller-manager'),
    '--use-service-account-credentials',
    ...['--service-account-private-key-file', pki('sa.key'), '--root-ca-file', pki('ca.crt')],
    ...['--cluster-signing-cert-file', pki('ca.crt'), '--cluster-signing-key-file', pki('ca.key')],
    ...['--cert-dir', join(dir, 'controller-manager'), '--flex-volume-plugin-dir', join(dir, 'node/flex')],
  ];
}

export function schedulerFlags({ dir }: ControlPlanePlace): string[] {
  return kubeconfigFlags(dir, 'kube-scheduler');
}

/** There is one of each, so nobody needs to elect a leader. */
function kubeconfigFlags(dir: string, name: string): string[] {
  const kubeconfig = join(dir, `${name}.kubeconfig`);
  return [
    ...['--kubeconfig', kubeconfig],
    ...['--authentication-kubeconfig', kubeconfig, '--authorization-kubeconfig', kubeconfig],
    ...['--bind-address', '127.0.0.1', '--leader-elect=false'],
  ];
}

/** A line of JSON for every request, so that a test can ask who did what. */
export function auditLog(dir: string): string {
  return join(dir, 'log/audit.log');
}

/** Whole requests and answers where our operator writes; nothing but the fact elsewhere, and never a Secret's data. */
export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "system:kube-scheduler", "system:kube-proxy"]
- level: None
  userGroups: ["system:nodes"]
- level: RequestResponse
  verbs: [create, update, patch, delete, deletecollection]
  resources:
  - group: holdfast.dev
  - {group: coordination.k8s.io, resources: [leases]}
  - {group: batch, resources: [jobs]}
  - {group: apps, resources: ["deployments/scale", "statefulsets/scale", "replicasets/scale"]}
- level: Metadata
`;
