/** Builds images with buildah in a store of its own below the cache folder, so that the machine's own stays as it is. */
import { join } from 'node:path';
import { cacheRoot, keyOf } from './cache.ts';
import { type CommandOptions, run } from './command.ts';
import { ensureDebianPackages } from './debian.ts';
import { withLock } from './lock.ts';

export interface ImageBuild {
  /** "localhost/holdfast-…:tag" */
  name: string;
  /** The folder that COPY reads from. */
  context: string;
  dockerfile: string;
  buildArgs: Readonly<Record<string, string>>;
  /** Stop after this stage of the Dockerfile. */
  stage?: string;
}

/**
 * Runs `work` while nobody else builds in the store. What a build that was killed left behind is removed first;
 * while two built at once nobody could tell a leftover from work in progress.
 */
export async function withBuildah(work: () => Promise<void>): Promise<void> {
  await ensureDebianPackages(['buildah', 'runc']);
  await withLock('buildah', async () => {
    await buildah(['rm', '--all']);
    await work();
  });
}

/** Builds from a Dockerfile; layers that did not change come from earlier builds. */
export async function buildImage(build: ImageBuild): Promise<void> {
  const buildArgs = Object.entries(build.buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  const args = [
    // A chroot is enough for a build and works without the rights that a container would need.
    ...['bud', '--isolation', 'chroot', '--layers', '--pull-never'],
    ...secrets(),
    ...buildArgs,
    ...(build.stage === undefined ? [] : ['--target', build.stage]),
    ...['--file', build.dockerfile, '--tag', build.name, build.context],
  ];
  await buildah(args, { tied: true });
}

export async function imageExists(name: string): Promise<boolean> {
  return buildah(['inspect', '--type', 'image', name]).then(
    () => true,
    () => false,
  );
}

/** Writes the image into one file, which a container runtime can import. */
export async function saveImage(name: string, tar: string): Promise<void> {
  await buildah(['push', '--quiet', name, `docker-archive:${tar}:${name}`]);
}

/** Brings an image back from such a file. */
export async function loadImage(tar: string): Promise<void> {
  await buildah(['pull', '--quiet', `docker-archive:${tar}`]);
}

/** Removes every image of the same name with another tag, and layers that no image uses any more. */
export async function removeOlderImages(name: string): Promise<void> {
  const repository = name.slice(0, name.lastIndexOf(':'));
  const listed = await buildah(['images', '--format', '{{.Name}}:{{.Tag}}']);
  const older = listed.split('\n').filter((image) => image.startsWith(`${repository}:`) && image !== name);
  if (older.length > 0) await buildah(['rmi', ...older]);
  await buildah(['rmi', '--prune']);
}

/** Runs buildah on our store and returns what it prints. */
export async function buildah(args: readonly string[], options: Pick<CommandOptions, 'tied'> = {}): Promise<string> {
  const root = join(cacheRoot(), 'containers');
  // What runs is forgotten with a reboot, as /run is; each store has its own.
  const store = ['--root', root, '--runroot', `/run/holdfast-containers-${keyOf({ root })}`];
  return run('buildah', [...store, ...args], { ...options, log: join(cacheRoot(), 'logs', 'buildah.log') });
}

/** The authority of a proxy that this machine is behind, for the time of the build alone. */
function secrets(): string[] {
  const authority = process.env['NODE_EXTRA_CA_CERTS'];
  return authority === undefined || authority === '' ? [] : ['--secret', `id=ca,src=${authority}`];
}
