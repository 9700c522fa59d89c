/** A cluster of the person's own: nothing of it is changed but what the demo puts into its two namespaces. */

import { buildah } from '../../test/cluster/buildah.ts';
import { run, succeeds } from '../../test/cluster/command.ts';
import { program } from '../../test/cluster/programs.ts';
import type { DemoCluster } from '../context.ts';
import type { Options } from '../options.ts';
import { Problem } from '../problem.ts';
import { during, proof, title } from '../say.ts';
import { buildImages, type DemoImages, namesOf } from './images.ts';

export async function yours(options: Options, kubeconfig: string): Promise<DemoCluster> {
  title('Your cluster');
  const { kubectl, helm } = await yourPrograms();
  await refuseSilent(kubectl, kubeconfig);
  proof('It answers.');
  const images = await buildImages();
  return { kubeconfig, kubectl, helm, images: await delivered(options, images) };
}

/** Those on the PATH, where there are some: they are what the person works with. */
export async function yourPrograms(): Promise<{ kubectl: string; helm: string }> {
  const either = async (name: 'kubectl' | 'helm', probe: readonly string[]) =>
    (await succeeds(name, probe)) ? name : program(name);
  return { kubectl: await either('kubectl', ['version', '--client']), helm: await either('helm', ['version']) };
}

async function refuseSilent(kubectl: string, kubeconfig: string): Promise<void> {
  await run(kubectl, ['--kubeconfig', kubeconfig, 'version', '--request-timeout=15s']).catch((cause: unknown) => {
    throw new Problem(`The cluster of ${kubeconfig} does not answer.`, `kubectl --kubeconfig ${kubeconfig} version`, {
      cause,
      facts: String(cause),
    });
  });
}

/** The names by which the cluster gets the images: pushed, or loaded by the person. */
async function delivered(options: Options, images: DemoImages): Promise<DemoCluster['images']> {
  if (options.registry !== undefined) return pushed(options.registry, images);
  if (options.loaded) return namesOf(images);
  throw new Problem(
    'Your cluster has to get three images, which are built now.',
    'load them into its nodes and run the same command with --loaded, or let it push them: --registry PREFIX',
    { facts: loadingOf(Object.values(images).map(({ tar }) => tar)).join('\n') },
  );
}

const LOADERS = ['kind load image-archive', 'minikube image load', 'k3s ctr images import'];

function loadingOf(files: readonly string[]): string[] {
  return LOADERS.flatMap((loader) => [...files.map((file) => `${loader} ${file}`), '']);
}

async function pushed(registry: string, images: DemoImages): Promise<DemoCluster['images']> {
  const push = async (name: string) => {
    const target = `${registry}/${name.slice(name.lastIndexOf('/') + 1)}`;
    await during(`pushing ${target}`, () => buildah(['push', '--quiet', name, `docker://${target}`]));
    return target;
  };
  const { holdfast, postgres, s3 } = namesOf(images);
  return { holdfast: await push(holdfast), postgres: await push(postgres), s3: await push(s3) };
}
