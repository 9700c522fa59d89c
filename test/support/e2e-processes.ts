/** The processes of a pod, as the machine below the cluster sees them. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly argv: readonly string[];
  /** NAME=value. */
  readonly environment: readonly string[];
}

/** Empty where the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const words = (text: string) => text.split('\0').filter((word) => word !== '');

function describe(pid: number): Process {
  const [, parent = '0'] = /^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`)) ?? [];
  return {
    pid,
    parent: Number(parent),
    argv: words(read(`/proc/${pid}/cmdline`)),
    environment: words(read(`/proc/${pid}/environ`)),
  };
}

/** Everything that runs in the pod; a container's pause process and its children too. A cgroup's path has the pod's UID. */
export function processesOf(podUid: string): Process[] {
  return pids()
    .filter((pid) => read(`/proc/${pid}/cgroup`).includes(podUid))
    .map(describe)
    .filter(({ argv }) => argv.length > 0);
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** What keeps the pod's containers for the container runtime: without it, the kubelet can neither see nor end them. */
export function keepersOf(processes: readonly Process[]): Process[] {
  const parents = new Set(processes.map(({ parent }) => parent));
  return pids()
    .filter((pid) => parents.has(pid))
    .map(describe)
    .filter(({ argv }) => argv[0]?.endsWith('containerd-shim-runc-v2'));
}

export function signal(processes: readonly Process[], name: NodeJS.Signals): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended meanwhile.
    }
  }
}

export function isHalted({ pid }: Process): boolean {
  return /^State:\s+T/m.test(read(`/proc/${pid}/status`));
}

export function isAlive({ pid }: Process): boolean {
  return /^State:\s+[^ZX]/m.test(read(`/proc/${pid}/status`));
}
