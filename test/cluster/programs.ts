/** The programs that a cluster and its tests are made of, each built from a Go module beside this file. */
import { chmod, mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { cached, cacheRoot, type Ingredients, keyOf } from './cache.ts';
import { run } from './command.ts';
import { telling } from './progress.ts';

/** How one Go module becomes executables. */
interface GoModule {
  /** Executable → the package it is built from. */
  executables: Readonly<Record<string, string>>;
  /** Further names of the one executable, which looks at the name it is called by. */
  alsoCalled?: readonly string[];
  /** A module → the packages whose version variables must say its version. */
  stamped?: { module: string; packages: readonly string[] };
  /** What a person should expect on two cores with empty caches of Go. */
  usually: string;
}

const modules = {
  kube: {
    executables: { kube: '.' },
    alsoCalled: ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy', 'kubectl'],
    // Without a version `kubectl version` fails, and Helm refuses every chart that says `kubeVersion`.
    stamped: {
      module: 'k8s.io/kubernetes',
      packages: ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'],
    },
    usually: '6 to 20 minutes, once',
  },
  etcd: { executables: { etcd: 'go.etcd.io/etcd/server/v3' }, usually: 'a minute, once' },
  coredns: { executables: { coredns: '.' }, usually: '2 minutes, once' },
  helm: { executables: { helm: 'helm.sh/helm/v3/cmd/helm' }, usually: '2 minutes, once' },
  age: {
    executables: { age: 'filippo.io/age/cmd/age', 'age-keygen': 'filippo.io/age/cmd/age-keygen' },
    usually: '15 s, once',
  },
  versitygw: {
    executables: { versitygw: 'github.com/versity/versitygw/cmd/versitygw' },
    usually: '2 minutes, once',
  },
  pause: { executables: { pause: '.' }, usually: '5 s, once' },
} as const satisfies Record<string, GoModule>;

type ModuleName = keyof typeof modules;

const moduleOf = {
  'kube-apiserver': 'kube',
  'kube-controller-manager': 'kube',
  'kube-scheduler': 'kube',
  kubelet: 'kube',
  'kube-proxy': 'kube',
  kubectl: 'kube',
  etcd: 'etcd',
  coredns: 'coredns',
  helm: 'helm',
  age: 'age',
  'age-keygen': 'age',
  versitygw: 'versitygw',
  pause: 'pause',
} as const satisfies Record<string, ModuleName>;

export type ProgramName = keyof typeof moduleOf;

const sources = join(import.meta.dirname, 'programs');

/** No C: the programs run on a machine and in an image without a C library. The rest is for equal builds. */
const goSettings = {
  CGO_ENABLED: '0',
  // A module cache with writable folders, or nobody can delete it with rm.
  GOFLAGS: '-buildvcs=false -modcacherw -trimpath',
};

/** The absolute path of an executable, built when it is not in the cache. */
export async function program(name: ProgramName): Promise<string> {
  return join(await builtModule(moduleOf[name]), name);
}

async function builtModule(name: ModuleName): Promise<string> {
  const module: GoModule = modules[name];
  const files = await ingredientsOf(name);
  const linkerFlags = linkerFlagsOf(module, String(files['go.mod']));
  const key = keyOf({
    ...files,
    settings: JSON.stringify([goSettings, linkerFlags, module.executables, module.alsoCalled]),
    platform: `${process.platform}-${process.arch}`,
  });
  return cached({
    kind: 'programs',
    name,
    key,
    build: (target) =>
      telling(`building ${name} with Go`, module.usually, () => build(name, module, linkerFlags, target)),
  });
}

async function ingredientsOf(name: ModuleName): Promise<Ingredients> {
  const folder = join(sources, name);
  const files: Record<string, string> = {};
  for (const file of await readdir(folder)) files[file] = await readFile(join(folder, file), 'utf8');
  return files;
}

async function build(name: ModuleName, module: GoModule, linkerFlags: string, target: string): Promise<void> {
  // Go's own temporary folder, in the place that is cleared when this is killed; not in /tmp, where it would stay.
  const work = join(target, 'work');
  await mkdir(work, { recursive: true });
  for (const [executable, source] of Object.entries(module.executables)) {
    const path = join(target, executable);
    await run('go', ['build', '-ldflags', linkerFlags, '-o', path, source], {
      cwd: join(sources, name),
      env: { ...process.env, ...goSettings, GOTMPDIR: work },
      log: join(cacheRoot(), 'logs', `build-${name}.log`),
      tied: true,
    }).catch((cause: unknown) => {
      throw new Error(`${name} could not be built. It needs Go 1.26 (go.dev/dl) and the Go module proxy.`, { cause });
    });
    await chmod(path, 0o755);
    for (const alias of module.alsoCalled ?? []) await symlink(executable, join(target, alias));
  }
  await rm(work, { recursive: true });
}

/** Smaller programs without symbol tables, and the versions that they must be able to tell. */
export function linkerFlagsOf(module: Pick<GoModule, 'stamped'>, goMod: string): string {
  const flags = ['-s', '-w'];
  if (module.stamped === undefined) return flags.join(' ');
  const version = requiredVersion(goMod, module.stamped.module);
  const [major, minor] = version.slice(1).split('.');
  for (const path of module.stamped.packages) {
    flags.push(
      `-X ${path}.gitVersion=${version}`,
      `-X ${path}.gitMajor=${major}`,
      `-X ${path}.gitMinor=${minor}`,
      `-X ${path}.gitTreeState=clean`,
    );
  }
  return flags.join(' ');
}

/** The version at which a go.mod requires a module. */
export function requiredVersion(goMod: string, module: string): string {
  const words = goMod.split('\n').map((line) => line.trim().split(/\s+/));
  const found = words.flatMap((line) => {
    const at = line[0] === 'require' ? 1 : 0;
    return line[at] === module && line[at + 1]?.startsWith('v') ? [line[at + 1] ?? ''] : [];
  })[0];
  if (found === undefined) throw new Error(`go.mod does not require ${module}`);
  return found;
}
