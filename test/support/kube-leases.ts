/** Small objects to watch: Leases with a label of the test's own, made and changed through a client that no fault touches. */
import type { Lease } from '../../src/api/kubernetes.ts';
import type { KubeCluster } from '../../src/kube/client.ts';
import { KIND } from '../../src/kube/kinds.ts';

const LABEL = 'holdfast.dev/test';

export class Leases {
  readonly selector: string;
  private readonly cluster: KubeCluster;
  private readonly group: string;

  constructor(cluster: KubeCluster, group: string) {
    this.cluster = cluster;
    this.group = group;
    this.selector = `${LABEL}=${group}`;
  }

  create(name: string): Promise<Lease> {
    return this.cluster.create<Lease>({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: `${this.group}-${name}`, namespace: 'default', labels: { [LABEL]: this.group } },
      ...{ spec: { holderIdentity: 'a' } },
    });
  }

  async change(name: string, holderIdentity: string): Promise<Lease> {
    return this.cluster.updateLease(await this.find(name), { holderIdentity });
  }

  async remove(name: string): Promise<void> {
    const { uid } = (await this.find(name)).metadata;
    await this.cluster.delete(KIND.lease, { namespace: 'default', name: `${this.group}-${name}`, uid });
  }

  /** What the API server has, as a copy of it should look. */
  async truth(): Promise<string[]> {
    return versions(await this.cluster.list(KIND.lease, { labelSelector: this.selector }));
  }

  private async find(name: string): Promise<Lease> {
    const found = await this.cluster.get(KIND.lease, { namespace: 'default', name: `${this.group}-${name}` });
    if (found === undefined) throw new Error(`no Lease ${name}`);
    return found;
  }
}

export function versions(leases: readonly Lease[]): string[] {
  return leases.map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`).sort();
}
