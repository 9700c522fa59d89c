/** The flags of every program of a cluster, but for those of the node's container runtime, which has a file for all. */
import { join } from 'node:path';
import { auditLog, auditPolicyFile } from './audit.ts';
import { etcdFlags } from './etcd.ts';
import type { Place } from './place.ts';

const ETCD = 'http://127.0.0.1:2379';
const ETCD_PEERS = 'http://127.0.0.1:2380';

/** etcd on the loopback of the node's own network. */
export function clusterEtcdFlags({ dir }: Place): string[] {
  return etcdFlags({ dataDir: join(dir, 'etcd'), clients: ETCD, peers: ETCD_PEERS });
}

export function apiServerFlags({ addresses, dir }: Place): string[] {
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
    ...['--audit-policy-file', auditPolicyFile(dir), '--audit-log-path', auditLog(dir)],
    ...['--audit-log-maxsize', '50', '--audit-log-maxbackup', '1'],
  ];
}

export function controllerManagerFlags({ dir }: Place): string[] {
  const pki = (file: string) => join(dir, 'pki', file);
  return [
    ...kubeconfigFlags(dir, 'kube-controller-manager'),
    '--use-service-account-credentials',
    ...['--service-account-private-key-file', pki('sa.key'), '--root-ca-file', pki('ca.crt')],
    ...['--cluster-signing-cert-file', pki('ca.crt'), '--cluster-signing-key-file', pki('ca.key')],
    ...['--cert-dir', join(dir, 'controller-manager'), '--flex-volume-plugin-dir', join(dir, 'node/flex')],
  ];
}

export function schedulerFlags({ dir }: Place): string[] {
  return kubeconfigFlags(dir, 'kube-scheduler');
}

export function kubeletFlags({ addresses, dir }: Place): string[] {
  return [
    ...['--config', join(dir, 'node/kubelet.yaml'), '--kubeconfig', join(dir, 'kubelet.kubeconfig')],
    ...['--hostname-override', addresses.nodeName, '--node-ip', addresses.node],
    ...['--root-dir', join(dir, 'node/kubelet'), '--cert-dir', join(dir, 'node/kubelet-pki')],
  ];
}

export function proxyFlags({ dir }: Place): string[] {
  return ['--config', join(dir, 'node/kube-proxy.yaml')];
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
