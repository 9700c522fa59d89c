/** The images that a test cluster runs. */
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { debianBase, nodeFiles } from './base-image.ts';
import { type Image, image } from './image.ts';
import { program } from './programs.ts';

const repository = join(import.meta.dirname, '../..');
const recipes = join(import.meta.dirname, '../images');

/** Debian with Node and npm: what the Dockerfile expects as NODE_IMAGE. */
async function nodeBaseImage(): Promise<Image> {
  const files = await nodeFiles();
  return image({
    name: 'node',
    usually: '40 s, once',
    ingredients: { ...(await filesBelow(join(recipes, 'node'))), ...files.ingredients },
    dockerfile: join(recipes, 'node/Dockerfile'),
    context: files.copyTo,
    base: { argument: 'BASE_IMAGE', image: await debianBase() },
  });
}

/** The product: operator and runner. */
export async function holdfastImage(): Promise<Image> {
  return image({
    name: 'operator',
    usually: 'a minute, or 15 s after a change in src',
    ingredients: await productFiles(),
    dockerfile: join(repository, 'Dockerfile'),
    context: repository,
    base: { argument: 'NODE_IMAGE', image: await nodeBaseImage() },
    // PostgreSQL's own package archive is not asked: a cluster must come up on Debian's packages alone.
    buildArgs: { PG_SOURCE: 'debian', PG_MAJORS: '13 15 17 18' },
    keepStages: ['dependencies', 'postgres'],
  });
}

/** A PostgreSQL server; test/images/postgres/Dockerfile tells how it is used. */
export async function postgresImage(): Promise<Image> {
  return image({
    name: 'postgres',
    usually: '45 s, once',
    ingredients: await filesBelow(join(recipes, 'postgres')),
    dockerfile: join(recipes, 'postgres/Dockerfile'),
    context: join(recipes, 'postgres'),
    base: { argument: 'BASE_IMAGE', image: await debianBase() },
  });
}

/** An S3 server; test/images/versitygw/Dockerfile tells how it is used. */
export async function s3Image(): Promise<Image> {
  const executable = await program('versitygw');
  return image({
    name: 's3',
    usually: '5 s, once',
    ingredients: { ...(await filesBelow(join(recipes, 'versitygw'))), program: keyOfProgram(executable) },
    dockerfile: join(recipes, 'versitygw/Dockerfile'),
    async context(folder) {
      await copyFile(executable, join(folder, 'versitygw'));
      for (const name of ['data', 'versions', 'iam']) await mkdir(join(folder, 'folders', name), { recursive: true });
    },
  });
}

/** The process that holds a pod's namespaces. */
export async function pauseImage(): Promise<Image> {
  return programImage('pause');
}

/** The cluster's DNS server. */
export async function corednsImage(): Promise<Image> {
  return programImage('coredns');
}

async function programImage(name: 'pause' | 'coredns'): Promise<Image> {
  const executable = await program(name);
  return image({
    name,
    usually: '2 s, once',
    ingredients: { ...(await filesBelow(join(recipes, 'program'))), program: keyOfProgram(executable) },
    dockerfile: join(recipes, 'program/Dockerfile'),
    context: (folder) => copyFile(executable, join(folder, 'program')),
  });
}

async function productFiles(): Promise<Record<string, Uint8Array>> {
  const folders = ['src', 'crds', 'scripts/bundle'].map((folder) => filesBelow(join(repository, folder)));
  const files: Record<string, Uint8Array> = Object.assign({}, ...(await Promise.all(folders)));
  const more = ['Dockerfile', 'package.json', 'package-lock.json', 'scripts/bundle.ts', 'scripts/postgres-programs.sh'];
  for (const name of more) {
    files[name] = await readFile(join(repository, name));
  }
  return files;
}

/** Every file below a folder: its path from the folder's parent, and its content. */
async function filesBelow(folder: string): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[path.slice(dirname(folder).length + 1)] = await readFile(path);
  }
  return files;
}

/** A program's folder in the cache bears the key of all that it was built from. */
function keyOfProgram(executable: string): string {
  return basename(dirname(executable));
}
