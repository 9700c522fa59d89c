/** Makes sure that packages of Debian are installed. */
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoot } from './cache-root.ts';
import { run } from './command.ts';
import { withLock } from './lock.ts';
import { telling } from './progress.ts';

/** Installs those that are missing. Nothing is asked, nothing is upgraded, nothing recommended comes along. */
export async function ensureDebianPackages(packages: readonly string[]): Promise<void> {
  if ((await missing(packages)).length === 0) return;
  await withLock('debian-packages', async () => {
    const wanted = await missing(packages);
    if (wanted.length === 0) return;
    refuseWithoutRights(wanted);
    await telling(`installing ${wanted.join(' ')} from Debian`, '20 s, once', () =>
      withoutServices(() => install(wanted)),
    );
  });
}

/** Those of the packages that dpkg does not list as installed. */
export function notInstalled(packages: readonly string[], dpkgAnswer: string): string[] {
  const installed = new Set(
    dpkgAnswer
      .split('\n')
      .map((line) => line.split(' '))
      .flatMap(([status, name]) => (status === 'installed' && name !== undefined ? [name] : [])),
  );
  return packages.filter((name) => !installed.has(name));
}

async function missing(packages: readonly string[]): Promise<string[]> {
  if (!existsSync('/usr/bin/dpkg-query')) return [...packages];
  // It ends with 1 when it does not know one of them at all, and still lists the others.
  const script = `dpkg-query -W -f='\${db:Status-Status} \${Package}\\n' "$@" 2>/dev/null || true`;
  return notInstalled(packages, await run('sh', ['-c', script, 'sh', ...packages]));
}

function refuseWithoutRights(wanted: readonly string[]): void {
  const list = wanted.join(' ');
  if (!existsSync('/usr/bin/apt-get')) {
    throw new Error(
      `these Debian packages are missing, and this machine has no apt-get: ${list}\nNext: use Debian 12 or later, or a cluster of your own (KUBECONFIG)`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new Error(
      `these Debian packages are missing: ${list}\nNext: apt-get install ${list} as root, or run this as root`,
    );
  }
}

/** Debian's way to say no when a package wants to start the server that it brings: nobody asked for that one. */
const POLICY = '/usr/sbin/policy-rc.d';

async function withoutServices(act: () => Promise<void>): Promise<void> {
  if (existsSync(POLICY)) return act();
  await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await act();
  } finally {
    await rm(POLICY);
  }
}

/** The package lists are fetched only when it does not work with those that are there: absent or out of date. */
async function install(packages: readonly string[]): Promise<void> {
  try {
    await aptGet(['install', ...packages]);
  } catch {
    await aptGet(['update']);
    await aptGet(['install', ...packages]);
  }
}

async function aptGet(args: readonly string[]): Promise<void> {
  const settings = ['-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300'];
  await run('apt-get', [...settings, ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    log: join(cacheRoot(), 'logs', 'apt-get.log'),
  });
}
