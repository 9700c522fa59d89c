/**
 * Folders for servers that live only as long as this process.
 *
 * A process that is killed cannot clean up after itself, so its folders bear its number and start time, and the next
 * process that wants one removes those whose owner is gone. The start time tells a process from a later one that got
 * the same number.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'holdfast-';

/** Memory that is mounted as a file system, where there is enough of it: a container has 64 MiB, a machine half of its memory. */
const MEMORY = '/dev/shm';
const ENOUGH_BYTES = 4 * 1024 ** 3;

/** A new empty folder for `what`, such as "api-server". Whoever asks removes it; see above for when they cannot. */
export async function tempDir(what: string): Promise<string> {
  await sweep(tmpdir());
  return newDir(tmpdir(), what);
}

/** The same in memory where it can be: for databases, which make and remove hundreds of files at a time. */
export async function memoryDir(what: string): Promise<string> {
  // What a killed process left there is memory, so it goes even where too little of it is left for more.
  await sweep(MEMORY).catch(() => undefined);
  const { bavail, bsize } = await statfs(MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
  return bavail * bsize < ENOUGH_BYTES ? tempDir(what) : newDir(MEMORY, what);
}

function newDir(parent: string, what: string): Promise<string> {
  return mkdtemp(join(parent, `${PREFIX}${what}-${process.pid}-${startTime(process.pid)}-`));
}

/** The owner that a folder's name tells, if it is one of ours. */
export function ownerOf(folder: string): { pid: number; started: string } | undefined {
  const match = /^holdfast-.*-(\d+)-(\d+)-[^-]{6}$/.exec(folder);
  if (match === null) return undefined;
  return { pid: Number(match[1]), started: match[2] ?? '' };
}

/** Field 22 of /proc/PID/stat, after the program's name, which may hold spaces and brackets itself. */
export function startTimeIn(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
}

async function sweep(parent: string): Promise<void> {
  for (const folder of await readdir(parent)) {
    const owner = ownerOf(folder);
    if (owner === undefined || startTime(owner.pid) === owner.started) continue;
    // Another process may sweep at the same time, and another user's folder is not ours to remove.
    await rm(join(parent, folder), { recursive: true, force: true }).catch(() => undefined);
  }
}

function startTime(pid: number): string | undefined {
  try {
    return startTimeIn(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}
