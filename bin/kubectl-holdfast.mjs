#!/usr/bin/env node
/**
 * `kubectl holdfast`: kubectl runs a program of this name that is on the PATH. Plain JavaScript for any Node, since it is what tells a
 * person that theirs is too old.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

const OLDEST = 24;
const root = new URL('..', import.meta.url);
const main = new URL('src/main/kubectl.ts', root);

if (Number.parseInt(process.versions.node, 10) >= OLDEST) {
  if (root.pathname.includes('/node_modules/')) stripTypesOfInstalledPackage();
  await import(main.href);
} else {
  runOnBroughtNode();
}

/** Node strips the types of TypeScript files itself, but refuses to do so for a package that npm installed. */
function stripTypesOfInstalledPackage() {
  process.removeAllListeners('warning');
  nodeModule.registerHooks({
    load(url, context, next) {
      if (!url.startsWith(root.href) || !url.endsWith('.ts')) return next(url, context);
      const source = nodeModule.stripTypeScriptTypes(readFileSync(new URL(url), 'utf8'));
      return { format: 'module', shortCircuit: true, source };
    },
  });
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
