/** Base images for a machine without an image registry: Debian by debootstrap, Node by npm. */
import { copyFile, cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildah, saveImage, withBuildah } from './buildah.ts';
import { cached, cacheRoot, type Ingredients, keyOf } from './cache.ts';
import { run } from './command.ts';
import { ensureDebianPackages } from './debian.ts';
import type { Image } from './image.ts';
import { telling } from './progress.ts';

const repository = join(import.meta.dirname, '../..');
const bootstrap = join(import.meta.dirname, '../images/debian/bootstrap.sh');

/** Any npm that reads our lock file; the image needs one, and the npm package `node` brings none. */
const NPM = 'npm@12.2.0';

/** A small Debian. */
export async function debianBase(): Promise<Image> {
  const key = keyOf({ script: await readFile(bootstrap), platform: process.arch });
  const name = `localhost/holdfast-debian:${key}`;
  const tar = await cached({
    kind: 'images',
    name: 'debian',
    key,
    extension: '.tar',
    build: (target) =>
      telling('installing a small Debian as base image', '90 s, once', () => bootstrapDebian(name, target)),
  });
  return { name, tar };
}

async function bootstrapDebian(name: string, target: string): Promise<void> {
  await ensureDebianPackages(['debootstrap']);
  await withBuildah(async () => {
    const container = (await buildah(['from', 'scratch'])).trim();
    const root = (await buildah(['mount', container])).trim();
    await run(bootstrap, [root], { log: join(cacheRoot(), 'logs', 'debootstrap.log'), tied: true });
    await buildah(['umount', container]);
    await buildah(['commit', '--quiet', '--rm', container, name]);
    await saveImage(name, target);
  });
}

export interface NodeFiles {
  ingredients: Ingredients;
  /** Puts `node` and the folder `npm` there. */
  copyTo(folder: string): Promise<void>;
}

/** Node as this project installs it for itself, and npm. */
export async function nodeFiles(): Promise<NodeFiles> {
  const installed = join(repository, 'node_modules/node');
  const { version } = await readPackage(join(installed, 'package.json'));
  const npm = await npmFolder();
  return {
    ingredients: { node: version, npm: NPM, platform: process.arch },
    async copyTo(folder) {
      await copyFile(join(installed, 'bin/node'), join(folder, 'node'));
      await cp(npm, join(folder, 'npm'), { recursive: true });
    },
  };
}

async function readPackage(path: string): Promise<{ version: string }> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Error('the npm package "node" is not installed, and the base image is made from it\nNext: npm ci', {
      cause,
    });
  });
  return JSON.parse(text) as { version: string };
}

/** npm unpacked. Its package holds all that it depends on. */
async function npmFolder(): Promise<string> {
  const folder = await cached({
    kind: 'downloads',
    name: 'npm',
    key: keyOf({ npm: NPM }),
    async build(target) {
      await run('mkdir', ['-p', target]);
      const [packed] = JSON.parse(await run('npm', ['pack', NPM, '--json', '--pack-destination', target])) as [
        { filename: string },
      ];
      await run('tar', ['-xzf', join(target, packed.filename), '-C', target]);
      await run('rm', [join(target, packed.filename)]);
    },
  });
  return join(folder, 'package');
}
