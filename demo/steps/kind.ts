/** A cluster made by kind, where a Docker engine answers; everything that it needs is built by Docker, too. */
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, succeeds } from '../../test/cluster/command.ts';
import { program } from '../../test/cluster/programs.ts';
import type { DemoCluster } from '../context.ts';
import { FOLDER, shortened } from '../files.ts';
import { during, proof, tell, title } from '../say.ts';
import { yourPrograms } from './your-cluster.ts';

const NAME = 'holdfast-demo';

/** Where there is no kind on the PATH, Go fetches and builds this one. */
const KIND_MODULE = 'sigs.k8s.io/kind@v0.33.0';

const repository = join(import.meta.dirname, '..', '..');

export function dockerAnswers(): Promise<boolean> {
  return succeeds('docker', ['info']);
}

export async function kindCluster(): Promise<DemoCluster> {
  title('A cluster');
  tell('Docker answers, so it is a kind cluster. Its image has to come from the network the first time.');
  const kubeconfig = join(FOLDER, 'kind.kubeconfig');
  await mkdir(FOLDER, { recursive: true });
  const running = await isUp();
  const place = ['--name', NAME, '--kubeconfig', kubeconfig];
  if (running) await kind(['export', 'kubeconfig', ...place]);
  else {
    await during('kind create cluster', (progress) => {
      progress.update('usually a minute or two');
      return kind(['create', 'cluster', ...place, '--wait', '180s']);
    });
  }
  proof(`Kubernetes is up. Its kubeconfig is ${shortened(kubeconfig)}.`);
  return { kubeconfig, ...(await yourPrograms()), images: await loadedImages() };
}

/** Nothing to do where there is no Docker, or no such cluster. */
export async function removeKindCluster(): Promise<void> {
  if ((await dockerAnswers()) && (await isUp())) await kind(['delete', 'cluster', '--name', NAME]);
}

async function isUp(): Promise<boolean> {
  return (await kind(['get', 'clusters'])).split('\n').includes(NAME);
}

async function kind(args: readonly string[]): Promise<string> {
  const found = await succeeds('kind', ['version']);
  return found ? run('kind', args) : run('go', ['run', KIND_MODULE, ...args]);
}

async function loadedImages(): Promise<DemoCluster['images']> {
  title('The images');
  tell(
    'One image for operator and runner, from the Dockerfile in this folder; one for PostgreSQL and one for the S3 server.',
  );
  const images = {
    holdfast: await dockerBuild('operator', repository),
    postgres: await dockerBuild('postgres', join(repository, 'test', 'images', 'postgres')),
    s3: await s3Image(),
  };
  await during('loading them into the cluster', () =>
    kind(['load', 'docker-image', ...Object.values(images), '--name', NAME]),
  );
  return images;
}

/** The tag is the image's own digest: another content is another name, so that the cluster takes it up. */
async function dockerBuild(name: string, context: string, dockerfile = join(context, 'Dockerfile')): Promise<string> {
  const repositoryName = `localhost/holdfast-${name}`;
  await during(`docker build of ${repositoryName}`, (progress) => {
    progress.update('usually two minutes, once');
    return run('docker', ['build', '--quiet', '--tag', `${repositoryName}:newest`, '--file', dockerfile, context]);
  });
  const id = await run('docker', ['image', 'inspect', '--format', '{{.Id}}', `${repositoryName}:newest`]);
  const tagged = `${repositoryName}:${id.trim().replace('sha256:', '').slice(0, 16)}`;
  await run('docker', ['tag', `${repositoryName}:newest`, tagged]);
  return tagged;
}

/** The context of test/images/versitygw: the program, and the folders that it writes to. */
async function s3Image(): Promise<string> {
  const context = await mkdtemp(join(tmpdir(), 'holdfast-demo-s3-'));
  try {
    await copyFile(await program('versitygw'), join(context, 'versitygw'));
    for (const name of ['data', 'versions', 'iam']) await mkdir(join(context, 'folders', name), { recursive: true });
    return await dockerBuild('s3', context, join(repository, 'test', 'images', 'versitygw', 'Dockerfile'));
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}
