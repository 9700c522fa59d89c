/** The container runtime of a node, spoken to from outside through its socket. */
import { setTimeout as sleep } from 'node:timers/promises';
import { run, succeeds } from './command.ts';
import type { Image } from './image.ts';
import { kubectl } from './kubectl.ts';
import { containerdSocket } from './node-files.ts';
import { kubeconfigOf } from './place.ts';
import { telling } from './progress.ts';

export async function containerdAnswers(dir: string): Promise<boolean> {
  return succeeds('ctr', ['--address', containerdSocket(dir), '--timeout', '2s', 'version']);
}

/** Puts an image into the node, unless it is there: its tag stands for its content. It takes the place of older ones. */
export async function importImage(dir: string, image: Image): Promise<void> {
  if ((await imagesOf(dir)).includes(image.name)) return;
  await telling(`importing ${image.name}`, 'a few seconds', async () => {
    await kubernetesImages(dir, ['import', image.tar]);
    await untilListed(dir, image);
    await removeOlder(dir, image.name);
  });
}

/** Images of the same name with another tag. With every change of the sources comes one of several hundred megabytes. */
export function olderImages(name: string, all: readonly string[]): string[] {
  const repository = name.slice(0, name.lastIndexOf(':') + 1);
  return all.filter((other) => other.startsWith(repository) && other !== name);
}

async function removeOlder(dir: string, name: string): Promise<void> {
  const older = olderImages(name, await imagesOf(dir));
  if (older.length === 0) return;
  const used = await imagesInUse(dir);
  const unused = older.filter((image) => !used.has(image));
  if (unused.length > 0) await kubernetesImages(dir, ['rm', ...unused]);
}

/** Every image that something in the cluster names, a Deployment scaled to zero included. */
async function imagesInUse(dir: string): Promise<Set<string>> {
  const kinds = 'pods,deployments.apps,statefulsets.apps,daemonsets.apps,jobs,cronjobs';
  const found = await kubectl(kubeconfigOf(dir), ['get', kinds, '--all-namespaces', '-o', 'jsonpath={..image}']);
  return new Set(found.split(' '));
}

/** The kubelet asks containerd's Kubernetes half, which hears of a new image a moment later. */
async function untilListed(dir: string, image: Image): Promise<void> {
  for (let round = 0; round < 50; round += 1) {
    if ((await imagesOf(dir)).includes(image.name)) return;
    await sleep(100);
  }
  throw new Error(`${image.tar} was imported and holds no image ${image.name}`);
}

async function imagesOf(dir: string): Promise<string[]> {
  return (await kubernetesImages(dir, ['ls', '--quiet'])).split('\n');
}

async function kubernetesImages(dir: string, args: readonly string[]): Promise<string> {
  return run('ctr', ['--address', containerdSocket(dir), '--namespace', 'k8s.io', 'images', ...args]);
}
