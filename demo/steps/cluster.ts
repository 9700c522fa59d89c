/** A cluster to play in, and the images it needs: made here, or a person's own. */
import { upCluster } from '../../test/cluster/cluster.ts';
import { program } from '../../test/cluster/programs.ts';
import type { DemoCluster } from '../context.ts';
import { shortened } from '../files.ts';
import type { Options } from '../options.ts';
import { proof, tell, title } from '../say.ts';
import { buildImages, namesOf } from './images.ts';
import { dockerAnswers, kindCluster } from './kind.ts';
import { yours } from './your-cluster.ts';

/** Of the clusters that can run side by side on this machine, the demo's. */
export const DEMO_CLUSTER = 1;

export async function standUp(options: Options): Promise<DemoCluster> {
  if (options.kubeconfig !== undefined) return yours(options, options.kubeconfig);
  return !options.own && (await dockerAnswers()) ? kindCluster() : ownCluster();
}

/** What the harness builds and waits for, it tells about by itself. */
async function ownCluster(): Promise<DemoCluster> {
  title('A cluster');
  tell(
    'A whole Kubernetes on this machine: API server, controllers, a kubelet with containerd. The first time it is built from Go modules, 20 minutes or so; after that it starts in seconds.',
  );
  const cluster = await upCluster({ number: DEMO_CLUSTER });
  proof(`Kubernetes is up. Its kubeconfig is ${shortened(cluster.kubeconfig)}.`);

  const images = await buildImages();
  for (const image of Object.values(images)) await cluster.importImage(image);
  return {
    kubeconfig: cluster.kubeconfig,
    kubectl: cluster.kubectl,
    helm: await program('helm'),
    images: namesOf(images),
  };
}
