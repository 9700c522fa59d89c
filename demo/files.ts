/** What the demo applies, as files that a person can look at and apply again. */
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { cacheRoot } from '../test/cluster/cache-root.ts';
import type { Kubectl } from './kubectl.ts';
import { block, command } from './say.ts';

export const FOLDER = join(cacheRoot(), 'demo');

/** Writes the object to a file, shows command and spec, and applies the file. */
export async function applyShown(
  kubectl: Kubectl,
  object: { readonly spec: unknown },
  fileName: string,
): Promise<void> {
  const path = join(FOLDER, fileName);
  await mkdir(FOLDER, { recursive: true });
  await writeFile(path, stringify(object));
  command(`kubectl -n ${kubectl.namespace} apply -f ${shortened(path)}`);
  block(stringify({ spec: object.spec }));
  await kubectl.call(['apply', '-f', path]);
}

/** A path as people write it. */
export function shortened(path: string): string {
  const home = homedir();
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}
