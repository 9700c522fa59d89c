#!/usr/bin/env node
/**
 * `kubectl holdfast`: kubectl runs a program of this name that is on the PATH. Plain JavaScript for any Node, since it is what tells a
 * person that theirs is too old.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST = 24;
const root = new URL('..', import.meta.url);

// A checkout runs its sources, which are never out of date; a package holds only what was built from them.
const sources = new URL('src/main/kubectl.ts', root);
const main = existsSync(sources) ? sources : new URL('dist/main/kubectl.mjs', root);

if (Number.parseInt(process.versions.node, 10) >= OLDEST) {
  // Beside what kubectl remembers, and not in /tmp, which others write to: it is code. Where it cannot be, Node does without.
  nodeModule.enableCompileCache(join(process.env.KUBECACHEDIR ?? join(homedir(), '.kube', 'cache'), 'holdfast'));
  await import(main.href);
} else {
  runOnBroughtNode();
}

/** A checkout with its packages installed has a Node of its own. */
function runOnBroughtNode() {
  const brought = fileURLToPath(new URL('node_modules/.bin/node', root));
  if (!existsSync(brought)) {
    process.stderr.write(`error: kubectl-holdfast needs Node ${OLDEST} or later; this is ${process.version}.\n`);
    process.stderr.write('next:  put a newer node first on the PATH.\n');
    process.exit(1);
  }
  // Ctrl-C reaches both; how to end is for the one below to say.
  process.on('SIGINT', () => undefined);
  const { status, error } = spawnSync(brought, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' });
  if (error !== undefined) process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = status ?? 1;
}
