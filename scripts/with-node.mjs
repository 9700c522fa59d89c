/**
 * `node scripts/with-node.mjs <file.ts> [arguments]`: runs a TypeScript file on the Node that this project ships with, and installs
 * the project's packages first where they are missing or not those of package-lock.json.
 *
 * Plain JavaScript without a dependency, for Node 18 and later: it is what a fresh clone starts with, whatever Node the machine has.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
const node = join(bin, 'node');

/** What a lock file says is installed: path → version. Packages for other platforms may be absent. */
function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
}

/** Whether node_modules is what package-lock.json asks for. npm writes its own lock file in there last, so a broken install has none. */
function isInstalled() {
  const installedLock = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedLock) || !existsSync(node)) return false;
  const installed = packagesOf(installedLock);
  return Object.entries(packagesOf(join(root, 'package-lock.json'))).every(([path, wanted]) => {
    if (path === '') return true;
    const found = installed[path];
    return found === undefined ? wanted.optional === true : found.version === wanted.version;
  });
}

/** Runs a program in the foreground; answers its exit code, or 128 + the number of the signal that ended it. */
function run(program, argv, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { stdio: 'inherit', env });
    // A terminal sends Ctrl-C to parent and child alike; everything else reaches only us.
    const forward = (signal) => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal));
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, forward);
      resolve(signal === null ? code : 128 + constants.signals[signal]);
    });
  });
}

/**
 * NODE_ENV=production or not, the tests and the demo need their tools. Warnings of engines are about the machine's Node, which is not the
 * one that is used, so only errors are shown.
 */
const INSTALL = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];

async function install() {
  console.error('Installing the packages of package-lock.json (npm ci), usually under a minute …');
  const code = await run('npm', INSTALL, process.env);
  if (code !== 0)
    throw new Error(
      `npm ci ended with ${code}. Its output is above; once that is settled, run the same command again.`,
    );
  if (!existsSync(node)) {
    throw new Error(
      'npm ci left no node_modules/.bin/node: the package "node" fetches it in an install script. Allow install scripts (npm config get ignore-scripts) and run the same command again.',
    );
  }
}

async function main() {
  const [file, ...argv] = process.argv.slice(2);
  if (file === undefined) throw new Error('usage: node scripts/with-node.mjs <file.ts> [arguments]');
  if (!isInstalled()) await install();
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
  process.exitCode = await run(node, [file, ...argv], env);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
