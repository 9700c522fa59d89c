/** Makes a thing once and finds it again by what it was made from. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { cacheRoot } from './cache-root.ts';
import { withLock } from './lock.ts';

export { cacheRoot } from './cache-root.ts';

/** What a thing is made from: a name for each ingredient, and its content. */
export type Ingredients = Readonly<Record<string, string | Uint8Array>>;

export interface Artefact {
  kind: 'programs' | 'images' | 'downloads' | 'data';
  name: string;
  /** From `keyOf`, over everything that would make the result another one. */
  key: string;
  /** ".tar" for a file; empty for a folder. */
  extension?: string;
  /** Makes it at `target`, which does not exist yet. May be killed at any moment. */
  build(target: string): Promise<void>;
}

/** As short as a tag may be and still never meet its twin. */
const KEY_LENGTH = 16;

/** The same for the same ingredients, whatever their order; another one as soon as a byte of one differs. */
export function keyOf(ingredients: Ingredients): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(ingredients).sort()) {
    const content = Buffer.from(ingredients[name] ?? '');
    // Lengths before contents, or bytes could move from one ingredient to the next unseen.
    hash.update(`${name.length}:${name}${content.length}:`).update(content);
  }
  return hash.digest('hex').slice(0, KEY_LENGTH);
}

/**
 * The path of the artefact, made first when it is not there. Two processes that want the same one make it once.
 * A finished build replaces every older key of the same name, so the cache does not grow; whoever runs an older
 * program keeps it running, since Linux keeps a deleted file for those who have it open.
 */
export async function cached(artefact: Artefact): Promise<string> {
  const folder = join(cacheRoot(), artefact.kind, artefact.name);
  const path = join(folder, artefact.key + (artefact.extension ?? ''));
  if (existsSync(path)) return path;
  return withLock(`${artefact.kind}-${artefact.name}`, async () => {
    if (existsSync(path)) return path;
    await mkdir(folder, { recursive: true });
    await makeAt(path, artefact);
    await removeAllBut(folder, basename(path));
    return path;
  });
}

/**
 * Under another name first: what bears the real name is whole. The bytes are on the disk before the name is,
 * since a machine that loses power in between would otherwise keep an empty file under it.
 */
async function makeAt(path: string, artefact: Artefact): Promise<void> {
  const unfinished = `${path}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await artefact.build(unfinished);
  await flush(unfinished);
  await rename(unfinished, path);
}

async function flush(path: string): Promise<void> {
  if ((await stat(path)).isDirectory()) {
    for (const entry of await readdir(path)) await flush(join(path, entry));
    return;
  }
  await using file = await open(path, 'r');
  await file.sync();
}

async function removeAllBut(folder: string, keep: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (entry !== keep) await rm(join(folder, entry), { recursive: true, force: true });
  }
}
