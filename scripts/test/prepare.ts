import { type ProgramName, program } from '../../test/cluster/programs.ts';

/** What a tier's tests run. Built before the tier's clock starts, since the first time takes minutes. */
const PROGRAMS: Readonly<Record<string, readonly ProgramName[]>> = {
  contract: ['age', 'versitygw'],
  scenario: ['kube-apiserver', 'etcd'],
  e2e: ['kubelet', 'etcd', 'coredns', 'helm', 'age', 'versitygw', 'pause'],
};

/** Fails with the reason when a tool of the tier cannot be had. */
export async function prepare(tier: string): Promise<void> {
  for (const name of PROGRAMS[tier] ?? []) await program(name);
}
