/** A cluster of the person's own: nothing of it is changed but what the demo puts into its two namespaces. */

import { buildah } from '../../test/cluster/buildah.ts';
import { run, succeeds } from '../../test/cluster/command.ts';
import { program } from '../../test/cluster/programs.ts';
import type { DemoCluster } from '../context.ts';
import { CLUSTER_NAME, OPERATOR_NAMESPACE, RELEASE } from '../objects.ts';
import type { Options } from '../options.ts';
import { Problem } from '../problem.ts';
import { during, proof, title } from '../say.ts';
import { buildImages, type DemoImages, namesOf } from './images.ts';

export async function yours(options: Options, kubeconfig: string): Promise<DemoCluster> {
  title('Your cluster');
  const { kubectl, helm } = await yourPrograms();
  await refuseSilent(kubectl, kubeconfig);
  await refuseForeign({ kubeconfig, kubectl, helm });
  proof('It answers, and no other Holdfast is in it.');
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
      facts: cause instanceof Error ? cause.message : String(cause),
    });
  });
}

/** The demo's own operator may be there; one that works in earnest must not be replaced by it, nor be removed with it. */
export async function refuseForeign(at: { kubeconfig: string; kubectl: string; helm: string }): Promise<void> {
  const installed = await clusterNameOfRelease(at);
  if (installed === CLUSTER_NAME) return;
  const place = ['--kubeconfig', at.kubeconfig, '--namespace', OPERATOR_NAMESPACE];
  const operators = await run(at.kubectl, [...place, 'get', 'deployments', '-A', '-l', OPERATOR_LABEL, '-o', 'name']);
  if (installed === undefined && operators.trim() === '') return;
  throw new Problem(
    'Holdfast is installed in this cluster already. The demo brings an operator of its own and would be in its way.',
    'Use another cluster; without --kubeconfig the demo makes one.',
  );
}

const OPERATOR_LABEL = 'app.kubernetes.io/name=holdfast';

async function clusterNameOfRelease({ kubeconfig, helm }: { kubeconfig: string; helm: string }) {
  const place = ['--kubeconfig', kubeconfig, '--namespace', OPERATOR_NAMESPACE];
  const releases = JSON.parse(await run(helm, ['list', ...place, '--all', '--output', 'json'])) as { name: string }[];
  if (!releases.some(({ name }) => name === RELEASE)) return undefined;
  const values = JSON.parse(await run(helm, ['get', 'values', RELEASE, ...place, '--output', 'json']));
  return String((values as { clusterName?: string }).clusterName);
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
