/** The container runtime of a node, spoken to from outside through its socket. */
import { setTimeout as sleep } from 'node:timers/promises';
import { run, succeeds } from './command.ts';
import type { Image } from './image.ts';
import { containerdSocket } from './node-files.ts';
import { telling } from './progress.ts';

export async function containerdAnswers(dir: string): Promise<boolean> {
  return succeeds('ctr', ['--address', containerdSocket(dir), '--timeout', '2s', 'version']);
}

/** Puts an image into the node, unless it is there: its tag stands for its content. */
export async function importImage(dir: string, image: Image): Promise<void> {
  if ((await imagesOf(dir)).includes(image.name)) return;
  await telling(`importing ${image.name}`, 'a few seconds', async () => {
    await kubernetesImages(dir, ['import', image.tar]);
    await untilListed(dir, image);
  });
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
