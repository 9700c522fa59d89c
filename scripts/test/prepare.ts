import { ensureDebianPackages } from '../../test/cluster/debian.ts';
import { corednsImage, holdfastImage, pauseImage, postgresImage, s3Image } from '../../test/cluster/images.ts';
import { installedPrograms } from '../../test/cluster/postgres.ts';
import { MAJORS, postgresPrograms, serverFiles } from '../../test/cluster/postgres-majors.ts';
import { type ProgramName, program } from '../../test/cluster/programs.ts';
import { bundle } from '../bundle.ts';

interface Tools {
  readonly packages?: readonly string[];
  readonly programs: readonly ProgramName[];
  /** What else is fetched or built, each once. */
  readonly others?: readonly (() => Promise<unknown>)[];
}

const CLUSTER: Tools = {
  packages: ['zstd'],
  programs: ['kubelet', 'etcd', 'helm', 'age'],
  others: [pauseImage, corednsImage, postgresImage, s3Image, holdfastImage],
};

/** What a tier's tests run. Made before the tier's clock starts, since the first time takes minutes. */
const TOOLS: Readonly<Record<string, Tools>> = {
  unit: { programs: ['helm'] },
  contract: {
    packages: ['pgbouncer'],
    programs: ['age', 'versitygw'],
    others: [installedPrograms, postgresPrograms, ...MAJORS.map((major) => () => serverFiles(major))],
  },
  scenario: { programs: ['kube-apiserver', 'kube-controller-manager', 'kubectl', 'etcd', 'helm', 'versitygw'] },
  release: CLUSTER,
  e2e: CLUSTER,
};

let bundled: Promise<void> | undefined;

/** Fails with the reason when a tool of the tier cannot be had. */
export async function prepare(tier: string): Promise<void> {
  const { packages = [], programs = [], others = [] } = TOOLS[tier] ?? {};
  // The runners, operators and commands that tests start are what ships, of the sources as they are now.
  bundled ??= bundle();
  await bundled;
  await ensureDebianPackages(packages);
  // One after the other: each build alone fills the machine.
  for (const name of programs) await program(name);
  for (const make of others) await make();
}
