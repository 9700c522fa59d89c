/** The long-running processes of a cluster: started so that they outlive us, found again by the cluster's cgroup. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { daemonProcessesOf, daemonsFile } from './cgroups.ts';

/** What runs besides the node's first process. */
export const DAEMONS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'containerd',
  'kubelet',
  'kube-proxy',
] as const;

export type DaemonName = (typeof DAEMONS)[number];

export interface Daemon {
  /** The name of its program, by which it is found again, and of its log. */
  name: string;
  /** How to start it: program and arguments. */
  command: readonly [string, ...string[]];
}

/** Nothing of the caller's own: a proxy or a KUBECONFIG in its environment would send daemons elsewhere. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

/** The daemon of this name, if it runs. */
export function findDaemon(cluster: string, name: string): number | undefined {
  return daemonProcessesOf(cluster).find((pid) => programOf(pid) === name);
}

/** Starts a daemon of the cluster, in a session and a cgroup where nothing of ours reaches it. */
export function startDaemon(cluster: string, dir: string, { name, command }: Daemon): void {
  mkdirSync(join(dir, 'log'), { recursive: true });
  const log = openSync(logOf(dir, name), 'a');
  const script = 'echo $$ > "$0" && exec "$@"';
  spawn('sh', ['-c', script, daemonsFile(cluster), ...command], {
    cwd: '/',
    detached: true,
    env: ENVIRONMENT,
    stdio: ['ignore', log, log],
  }).unref();
  closeSync(log);
}

export function logOf(dir: string, name: string): string {
  return join(dir, 'log', `${name}.log`);
}

/** The program a process runs, by the name it was called with. A zombie runs none. */
function programOf(pid: number): string | undefined {
  try {
    const [command] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return command === undefined || command === '' ? undefined : basename(command);
  } catch {
    return undefined;
  }
}
