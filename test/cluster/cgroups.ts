/**
 * The cgroups of a cluster: one tree for the containers of its node, one for its daemons.
 *
 * They answer two needs. Each kubelet wants a root of its own, or it kills the pods of another as orphans. And they
 * list exactly the cluster's processes: a number in a file proves nothing after a reboot or a kill.
 *
 * Both versions of cgroups are written for; only version 1 has been tried.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = '/sys/fs/cgroup';

/** Children of a cluster's cgroup. */
const NODE = 'n1';
const DAEMONS = 'daemons';

/** The kubelet's root, as it is written in its configuration. */
export function nodeCgroup(cluster: string): string {
  return `/${cluster}/${NODE}`;
}

/** Writing a process id into this file makes it one of the cluster's daemons. */
export function daemonsFile(cluster: string): string {
  return join(processTree(), cluster, DAEMONS, 'cgroup.procs');
}

/** Makes what is missing of them, in every hierarchy. */
export async function makeCgroups(cluster: string): Promise<void> {
  for (const hierarchy of hierarchies()) {
    await mkdir(join(hierarchy, cluster, NODE), { recursive: true });
    if (hierarchy.endsWith('/cpuset')) await copyCpuset(hierarchy, [cluster, join(cluster, NODE)]);
  }
  await mkdir(join(processTree(), cluster, DAEMONS), { recursive: true });
  if (unified()) await delegateControllers([ROOT, join(ROOT, cluster)]);
}

/** Every process of the cluster, in its containers too. */
export function processesOf(cluster: string): number[] {
  return processesBelow(join(processTree(), cluster));
}

/** Its daemons only. */
export function daemonProcessesOf(cluster: string): number[] {
  return processesBelow(join(processTree(), cluster, DAEMONS));
}

/** Kills until nothing is left: a process about to die may still start another. */
export async function killAll(cluster: string): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    const processes = processesOf(cluster);
    if (processes.length === 0) return;
    for (const pid of processes) kill(pid);
    await sleep(100);
  }
  throw new Error(
    `processes of ${cluster} do not die: ${processesOf(cluster).join(' ')}\nNext: look for state D in ps -o pid,stat,args; only a reboot ends those`,
  );
}

export async function removeCgroups(cluster: string): Promise<void> {
  // The container runtime makes one in version 2's hierarchy too, where it is mounted beside those of version 1.
  for (const hierarchy of [...hierarchies(), join(ROOT, 'unified')]) await removeTree(join(hierarchy, cluster));
}

/** Version 2 has one hierarchy for all controllers, version 1 one for each. */
function unified(): boolean {
  return existsSync(join(ROOT, 'cgroup.controllers'));
}

function hierarchies(): string[] {
  if (unified()) return [ROOT];
  return (
    readdirSync(ROOT, { withFileTypes: true })
      // Links are further names of the same hierarchy; "unified" is version 2 without controllers.
      .filter((entry) => entry.isDirectory() && entry.name !== 'unified')
      .map((entry) => join(ROOT, entry.name))
      .filter((folder) => existsSync(join(folder, 'cgroup.procs')))
  );
}

function processTree(): string {
  return unified() ? ROOT : join(ROOT, 'pids');
}

/** In version 1 a new cpuset has no processors and no memory, and nothing can run in it. */
async function copyCpuset(hierarchy: string, groups: readonly string[]): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const all = await readFile(join(hierarchy, file), 'utf8');
    for (const group of groups) await writeFile(join(hierarchy, group, file), all);
  }
}

/** In version 2 a parent says which controllers its children may use. */
async function delegateControllers(groups: readonly string[]): Promise<void> {
  for (const group of groups) {
    const controllers = (await readFile(join(group, 'cgroup.controllers'), 'utf8')).trim().split(' ');
    const wanted = controllers.map((controller) => `+${controller}`).join(' ');
    await writeFile(join(group, 'cgroup.subtree_control'), wanted);
  }
}

function processesBelow(group: string): number[] {
  if (!existsSync(group)) return [];
  const own = readProcesses(join(group, 'cgroup.procs'));
  const children = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...own, ...children.flatMap((child) => processesBelow(join(group, child.name)))];
}

/** A group that has just gone has no processes. */
function readProcesses(file: string): number[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was faster.
  }
}

async function removeTree(group: string): Promise<void> {
  if (!existsSync(group)) return;
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(group, entry.name));
  }
  await rmdir(group);
}
