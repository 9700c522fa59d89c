/**
 * A whole Kubernetes on this machine: one node that runs real containers, in namespaces of its own.
 *
 * Every step looks first at what is there, so `upCluster` serves for a new cluster, for one that runs, and for one
 * that was killed in the middle or lost its machine. All of cluster N is one folder, one tree of cgroups and one
 * bridge, and `downCluster` removes all three.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { auditLog } from './audit.ts';
import { killAll, processesOf, removeCgroups } from './cgroups.ts';
import { importImage } from './containerd.ts';
import { DAEMONS, findDaemon } from './daemons.ts';
import { ensureDebianPackages } from './debian.ts';
import { dnsAnswers } from './dns.ts';
import type { Image } from './image.ts';
import { withLock } from './lock.ts';
import { removeFolder } from './mounts.ts';
import { removeNetwork } from './node.ts';
import { nodeReady } from './node-ready.ts';
import { gatherParts, keyOfParts, type Parts } from './parts.ts';
import { kubeconfigOf, type Place, placeOf } from './place.ts';
import { program } from './programs.ts';
import { say, telling } from './progress.ts';
import { startCluster } from './start.ts';

export interface Cluster {
  number: number;
  /** A file; its user is an administrator. */
  kubeconfig: string;
  /** The path of a kubectl of the cluster's own version. */
  kubectl: string;
  /** The host as pods see it: a server bound to this address can be reached from every pod. */
  hostAddress: string;
  /** Everything of the cluster is below; logs are in `log`. */
  dir: string;
  /** Requests to the API server, a line of JSON each. */
  auditLog: string;
  /** Nothing can be pulled: every image comes in this way, and pods say IfNotPresent or Never. */
  importImage(image: Image): Promise<void>;
}

export interface ClusterNumber {
  /** 1 to 9. Clusters of different numbers run side by side. */
  number: number;
}

type ClusterState =
  /** Nothing of it is there. */
  | 'absent'
  /** Its files are there and none of its processes, as after a reboot: `upCluster` starts it again with its data. */
  | 'stopped'
  /** It runs and does not answer as it should: still starting, or damaged. `upCluster` repairs it. */
  | 'not ready'
  | 'ready';

export interface ClusterStatus extends ClusterNumber {
  state: ClusterState;
  dir: string;
  kubeconfig: string;
  /** How many processes it has, in its containers too. */
  processes: number;
}

const PACKAGES = [
  ...['containerd', 'runc', 'containernetworking-plugins', 'openssl'],
  // For the network: kube-proxy's rules, our bridge, connections of removed endpoints.
  ...['nftables', 'iproute2', 'conntrack'],
  // sysctl, and unshare, nsenter, setpriv and flock
  ...['procps', 'util-linux'],
];

/** Brings the cluster up, ready for pods, whatever state it is in. Two callers at once get the same one. */
export async function upCluster({ number }: ClusterNumber): Promise<Cluster> {
  const place = placeOf(number);
  refuseWithoutRoot();
  await ensureDebianPackages(PACKAGES);
  const parts = await gatherParts(place);
  await withLock(lockOf(place), async () => {
    refuseForeign(place);
    await removeIfOfOtherParts(parts);
    if ((await stateOf(place)) === 'ready') return;
    await telling(`starting cluster ${number}`, '15 s', () => startCluster(parts));
  });
  return {
    number,
    kubeconfig: kubeconfigOf(place.dir),
    kubectl: await program('kubectl'),
    hostAddress: place.addresses.host,
    dir: place.dir,
    auditLog: auditLog(place.dir),
    importImage: (image) => importImage(place.dir, image),
  };
}

/** Ends the cluster and removes all that it had. Also good for one that is damaged or not there. */
export async function downCluster({ number }: ClusterNumber): Promise<void> {
  const place = placeOf(number);
  refuseWithoutRoot();
  await withLock(lockOf(place), () => remove(place));
}

export async function clusterStatus({ number }: ClusterNumber): Promise<ClusterStatus> {
  const place = placeOf(number);
  return {
    number,
    state: await stateOf(place),
    dir: place.dir,
    kubeconfig: kubeconfigOf(place.dir),
    processes: processesOf(place.addresses.name).length,
  };
}

function lockOf({ addresses }: Place): string {
  return `cluster-${addresses.name}`;
}

async function stateOf({ addresses, dir }: Place): Promise<ClusterState> {
  if (processesOf(addresses.name).length === 0) return existsSync(dir) ? 'stopped' : 'absent';
  // A node whose kubelet is dead calls itself ready for most of a minute.
  if (!DAEMONS.every((name) => findDaemon(addresses.name, name) !== undefined)) return 'not ready';
  const ready = await Promise.all([nodeReady(kubeconfigOf(dir), addresses.nodeName, undefined), dnsAnswers(addresses)])
    .then((answers) => answers.every(Boolean))
    .catch(() => false);
  return ready ? 'ready' : 'not ready';
}

/** Says which programs and which configuration a cluster was made of. */
function labelOf(dir: string): string {
  return join(dir, 'made-of');
}

/**
 * A cluster of an older harness is replaced: nobody could say what a mixture of both would do. A folder without a
 * label is what a `down` that was killed has left.
 */
async function removeIfOfOtherParts(parts: Parts): Promise<void> {
  const label = labelOf(parts.dir);
  const key = keyOfParts(parts);
  const found = await readFile(label, 'utf8').catch(() => undefined);
  if (found === key) return;
  if (found !== undefined) say(`${parts.addresses.name} was made of other programs or settings: making it anew`);
  await remove(parts);
  await mkdir(parts.dir, { recursive: true });
  await writeFile(label, key);
}

async function remove({ addresses, dir }: Place): Promise<void> {
  await killAll(addresses.name);
  await removeNetwork(addresses);
  // The label first: half a folder must not be taken for a cluster.
  await rm(labelOf(dir), { force: true });
  await removeFolder(dir);
  await removeCgroups(addresses.name);
}

/** The number decides addresses and cgroups of the whole machine, the folder is in the cache of one user. */
function refuseForeign({ addresses, dir }: Place): void {
  if (existsSync(labelOf(dir)) || processesOf(addresses.name).length === 0) return;
  throw new Error(
    `${addresses.name} runs already, and its files are not in ${dir}\nNext: take another number, or end it with the XDG_CACHE_HOME it was started with`,
  );
}

function refuseWithoutRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new Error(
    'a cluster needs root: it makes namespaces, mounts and a network\nNext: run this as root, or use a cluster of your own (KUBECONFIG)',
  );
}
