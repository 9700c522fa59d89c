/**
 * The node: a process with a network, mounts, processes and a host name of its own.
 *
 * Everything that the cluster runs is started inside. When its first process dies the kernel ends all others and
 * drops their mounts, so a node is gone in one stroke.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Addresses } from './addresses.ts';
import { killAll } from './cgroups.ts';
import { run, succeeds } from './command.ts';
import { findDaemon, logOf, startDaemon } from './daemons.ts';
import { waitFor } from './wait.ts';

/** The first process sleeps and reaps; the program that holds a pod's namespaces does just that. */
const FIRST_PROCESS = 'pause';

/** Folders of the machine that programs write to by a fixed path: each node gets its own. */
const PRIVATE_FOLDERS = ['/var/lib/cni', '/var/lib/kubelet', '/var/log/containers'];

/** Makes sure that the node runs and has its network; returns its first process. */
export async function ensureNode(addresses: Addresses, dir: string, pause: string): Promise<number> {
  const running = findDaemon(addresses.name, FIRST_PROCESS);
  if (running !== undefined) {
    await ensureNetwork(addresses, running);
    return running;
  }
  // What is left of a node without its first process cannot be used: not its network, not its mounts.
  await killAll(addresses.name);
  const first = await startNode(addresses, dir, pause);
  await ensureNetwork(addresses, first);
  return first;
}

/** What to put before a command to run it inside the node. */
export function insideNode(firstProcess: number): [string, ...string[]] {
  return ['nsenter', '--target', String(firstProcess), '--net', '--mount', '--pid', '--uts', '--ipc', '--'];
}

async function startNode(addresses: Addresses, dir: string, pause: string): Promise<number> {
  const privates = join(dir, 'node/private');
  for (const folder of PRIVATE_FOLDERS) await mkdir(join(privates, folder), { recursive: true });
  const namespaces = ['--net', '--mount', '--pid', '--uts', '--ipc', '--propagation', 'private', '--mount-proc'];
  startDaemon(addresses.name, dir, {
    name: 'node',
    command: ['unshare', ...namespaces, '--fork', '--kill-child', 'sh', '-c', setUpScript(addresses, privates, pause)],
  });
  await waitFor(async () => findDaemon(addresses.name, FIRST_PROCESS) !== undefined, {
    timeoutMs: 20_000,
    everyMs: 30,
    otherwise: () => `the node of ${addresses.name} did not start\nNext: read ${logOf(dir, 'node')}`,
  });
  return findDaemon(addresses.name, FIRST_PROCESS) ?? Number.NaN;
}

/** Runs as the node's first process and becomes the one that stays: whoever sees that one knows that all is set up. */
export function setUpScript(addresses: Addresses, privates: string, pause: string): string {
  return [
    'set -e',
    `hostname ${addresses.nodeName}`,
    'mount -t tmpfs tmpfs /run',
    ...PRIVATE_FOLDERS.map((folder) => `mkdir -p ${folder}; mount --bind '${privates}${folder}' ${folder}`),
    'ip link set lo up',
    'sysctl -qw net.ipv4.ip_forward=1',
    `exec '${pause}'`,
  ].join('\n');
}

/** The bridge on the host, the cable to the node, and the routes on both ends. Safe to repeat at any point. */
async function ensureNetwork(addresses: Addresses, firstProcess: number): Promise<void> {
  const { name, cable, host, node } = addresses;
  const inNode = ['--target', String(firstProcess), '--net', 'ip'];
  if (!(await succeeds('ip', ['link', 'show', name]))) await run('ip', ['link', 'add', name, 'type', 'bridge']);
  await run('ip', ['address', 'replace', `${host}/24`, 'dev', name]);
  await run('ip', ['link', 'set', name, 'up']);
  if (!(await succeeds('nsenter', [...inNode, 'link', 'show', 'eth0']))) {
    // The old end outlives its node for a while.
    await succeeds('ip', ['link', 'delete', cable]);
    const peer = ['peer', 'name', 'eth0', 'netns', String(firstProcess)];
    await run('ip', ['link', 'add', cable, 'type', 'veth', ...peer]);
  }
  await run('ip', ['link', 'set', cable, 'master', name, 'up']);
  await run('nsenter', [...inNode, 'link', 'set', 'eth0', 'up']);
  await run('nsenter', [...inNode, 'address', 'replace', `${node}/24`, 'dev', 'eth0']);
  await run('nsenter', [...inNode, 'route', 'replace', 'default', 'via', host]);
  await run('ip', ['route', 'replace', addresses.pods, 'via', node]);
  await run('ip', ['route', 'replace', addresses.serviceRange, 'via', node]);
}

export async function removeNetwork({ name, cable }: Addresses): Promise<void> {
  await succeeds('ip', ['link', 'delete', cable]);
  await succeeds('ip', ['link', 'delete', name]);
}
