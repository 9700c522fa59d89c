/** After the end-to-end tests: nothing of them runs on, unless the cluster was up before them. */
import { downCluster } from '../cluster/cluster.ts';
import { E2E_CLUSTER, theWorld } from '../support/e2e-world.ts';

export default async function tearDown(): Promise<void> {
  if (!theWorld().wasUpBefore) await downCluster({ number: E2E_CLUSTER });
}
