/** Mounts of this machine's own view that are below a folder. A node's mounts are in its view only, and go with it. */
import { readFile } from 'node:fs/promises';
import { run, succeeds } from './command.ts';

/** Mount points in /proc/self/mountinfo below `folder`, the deepest first. */
export function mountPointsBelow(folder: string, mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => decodeOctal(line.split(' ')[4] ?? ''))
    .filter((point) => point.startsWith(`${folder}/`))
    .sort()
    .reverse();
}

/** Removes a folder and whatever is in it, never what is mounted into it. */
export async function removeFolder(folder: string): Promise<void> {
  for (const point of mountPointsBelow(folder, await readFile('/proc/self/mountinfo', 'utf8'))) {
    if (!(await succeeds('umount', [point]))) await run('umount', ['--lazy', point]);
  }
  await run('rm', ['-rf', '--one-file-system', folder]);
}

/** mountinfo writes a space as \040, and other odd bytes likewise. */
function decodeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
