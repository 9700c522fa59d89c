/** The configuration files of a node, as text. */
import { join } from 'node:path';
import { nodeCgroup } from './cgroups.ts';
import type { Place } from './place.ts';

/** Where containerd listens. */
export function containerdSocket(dir: string): string {
  return join(dir, 'node/containerd.sock');
}

/** File name below the cluster's folder → content. */
export function nodeFiles(place: Place, pauseImage: string): Record<string, string> {
  return {
    'node/containerd.toml': containerdConfig(place, pauseImage),
    'node/cni/10-cluster.conflist': cniConfig(place),
    'node/kubelet.yaml': kubeletConfig(place),
    'node/kube-proxy.yaml': proxyConfig(place),
    // Pods that ask for the node's DNS get none: nothing outside the cluster is theirs to reach.
    'node/resolv.conf': '',
  };
}

export function containerdConfig({ dir }: Place, pauseImage: string): string {
  return `version = 2
root = "${join(dir, 'node/containerd')}"
# Inside the node /run is the node's own and goes with it, so no state of dead containers is ever read again.
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "${containerdSocket(dir)}"
[plugins."io.containerd.grpc.v1.cri"]
  # Lowering a score needs CAP_SYS_RESOURCE; without it every sandbox would fail.
  restrict_oom_score_adj = true
  sandbox_image = "${pauseImage}"
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${join(dir, 'node/cni')}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`;
}

export function cniConfig({ addresses, dir }: Place): string {
  const config = {
    cniVersion: '1.0.0',
    name: addresses.nodeName,
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        // A pod that calls its own Service comes back to itself.
        hairpinMode: true,
        ipMasq: false,
        ipam: {
          type: 'host-local',
          dataDir: join(dir, 'node/ipam'),
          ranges: [[{ subnet: addresses.pods }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

export function kubeletConfig({ addresses, dir }: Place): string {
  return `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: ${addresses.node}
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: ${join(dir, 'pki/ca.crt')}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: ${nodeCgroup(addresses.name)}
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
enforceNodeAllocatable: []
clusterDNS: [${addresses.dnsService}]
clusterDomain: cluster.local
resolvConf: ${join(dir, 'node/resolv.conf')}
# A call that hangs is made again well before a test loses its patience; by default after two minutes.
runtimeRequestTimeout: 30s
containerRuntimeEndpoint: unix://${containerdSocket(dir)}
podLogsDir: ${join(dir, 'node/pod-logs')}
volumePluginDir: ${join(dir, 'node/flex')}
makeIPTablesUtilChains: false
# An image that was removed could not be pulled again.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
`;
}

export function proxyConfig({ addresses, dir }: Place): string {
  return `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: ${join(dir, 'kube-proxy.kubeconfig')}}
clusterCIDR: ${addresses.podRange}
hostnameOverride: ${addresses.nodeName}
oomScoreAdj: 0
# The kernel's limits belong to the machine, not to one cluster on it.
conntrack: {maxPerCore: 0, min: 0}
`;
}
