/** A throwaway PostgreSQL server on this machine, from Debian's package. It ends with this process. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { cached, keyOf } from './cache.ts';
import { run } from './command.ts';
import { ensureDebianPackages } from './debian.ts';
import { freePorts } from './ports.ts';
import { scramVerifier } from './scram.ts';
import { memoryDir } from './temp-dir.ts';
import { lastLinesOf, startTied } from './tied-process.ts';
import { waitFor } from './wait.ts';

export interface LocalPostgres {
  host: string;
  port: number;
  superuser: string;
  password: string;
  /** The major version of the server, such as 15. */
  major: number;
  /** The folder of its programs: psql, pg_dump, pg_restore and all others of the same version. */
  bin: string;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** Where to listen: loopback, or an address that pods reach, such as `hostAddress` of a cluster. */
  address?: string;
  /** Further settings of postgresql.conf, over ours. */
  settings?: Readonly<Record<string, string>>;
  /** It waits for a primary that never comes, and may only be read. */
  standby?: boolean;
}

const VERSIONS = '/usr/lib/postgresql';

const settings = {
  max_connections: '50',
  shared_buffers: '32MB',
  // Nothing survives the server, so nothing needs to be safe on the disk.
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  password_encryption: 'scram-sha-256',
};

/** Starts one, ready for connections with a password (SCRAM). Several can run at once. */
export async function localPostgres(options: PostgresOptions = {}): Promise<LocalPostgres> {
  const bin = await installedPrograms();
  return startPostgres({ bin, major: Number(bin.split('/').at(-2)) }, options);
}

/** Starts one from any folder with `initdb` and `postgres` in it, which the package's user must be able to read. */
export async function startPostgres(
  { bin, major }: Pick<LocalPostgres, 'bin' | 'major'>,
  options: PostgresOptions = {},
): Promise<LocalPostgres> {
  const host = options.address ?? '127.0.0.1';
  const password = randomBytes(12).toString('hex');
  const dir = await memoryDir('postgres');
  const account = await accountFor(dir);
  const data = join(dir, 'data');
  await initialise({ bin, dir, account });
  const [port] = (await freePorts(1, host)) as [number];
  const text = settingsText({
    ...settings,
    ...options.settings,
    listen_addresses: host,
    port: String(port),
    unix_socket_directories: dir,
  });
  await appendFile(join(data, 'postgresql.conf'), text);
  await appendFile(join(data, 'pg_hba.conf'), 'host all all 0.0.0.0/0 scram-sha-256\n');

  const log = join(dir, 'postgres.log');
  const superuser = { host, port, user: 'postgres', database: 'postgres' };
  const begin = async (login: { password: string }) => {
    const begun = startTied(join(bin, 'postgres'), ['-D', data], {
      log,
      cwd: dir,
      // Killed outright, it would leave a piece of System V shared memory in the machine.
      deathSignal: 'QUIT',
      ...(account !== undefined && { user: account }),
    });
    await waitFor(() => answers({ ...superuser, ...login }), {
      timeoutMs: 60_000,
      hopeless: () => !begun.running(),
      otherwise: () => `PostgreSQL did not become ready:\n${lastLinesOf(log)}\nNext: read ${log}`,
    }).catch(async (error: unknown) => {
      await begun.stop('SIGQUIT');
      throw error;
    });
    return begun;
  };
  const first = { password: FIRST_PASSWORD };
  let server = await begin(first);
  await ask({ ...superuser, ...first }, `ALTER ROLE postgres PASSWORD '${scramVerifier(password)}'`);
  if (options.standby === true) {
    // What initdb wrote cannot be read by a standby; what a server wrote can.
    await server.stop('SIGINT');
    await appendFile(join(data, 'standby.signal'), '');
    server = await begin({ password });
  }
  return {
    host,
    port,
    superuser: 'postgres',
    password,
    major,
    bin,
    async stop() {
      await server.stop('SIGQUIT');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Whether it lets us in. Not every server comes with pg_isready. */
export function answers(config: pg.ClientConfig): Promise<boolean> {
  return ask(config).then(
    () => true,
    () => false,
  );
}

async function ask(config: pg.ClientConfig, sql = ''): Promise<void> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Lines for postgresql.conf. */
export function settingsText(values: Readonly<Record<string, string>>): string {
  const quoted = (value: string) => `'${value.replaceAll("'", "''")}'`;
  return Object.entries(values)
    .map(([name, value]) => `${name} = ${quoted(value)}\n`)
    .join('');
}

/** The programs of the newest version installed; Debian's own version when there is none. */
export async function installedPrograms(): Promise<string> {
  const found = await newestPrograms();
  if (found !== undefined) return found;
  await preventMainCluster();
  await ensureDebianPackages(['postgresql']);
  const installed = await newestPrograms();
  if (installed === undefined) throw new Error(`no PostgreSQL server below ${VERSIONS} after installing it`);
  return installed;
}

async function newestPrograms(): Promise<string | undefined> {
  const versions = existsSync(VERSIONS) ? await readdir(VERSIONS) : [];
  return versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(VERSIONS, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
}

/** Debian's package makes a cluster of its own on installing, and starts it: nobody asked for that one. */
async function preventMainCluster(): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const folder = '/etc/postgresql-common/createcluster.d';
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'holdfast.conf'), 'create_main_cluster = false\n');
}

/** PostgreSQL refuses to run as root: then it runs as the package's user, who gets the folder. */
async function accountFor(dir: string): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const account = 'postgres';
  const [uid, gid] = [Number(await run('id', ['-u', account])), Number(await run('id', ['-g', account]))];
  await chown(dir, uid, gid);
  await chmod(dir, 0o700);
  return account;
}

/** Of the superuser until the server runs. */
const FIRST_PASSWORD = 'first';

const FLAGS = [
  ...['--username', 'postgres', '--encoding', 'UTF8', '--locale', 'C.UTF-8'],
  ...['--no-sync', '--auth', 'scram-sha-256'],
];

/** Makes folder `data` inside `dir`. initdb takes most of a second of a processor, and its work is the same each time. */
async function initialise({ bin, dir, account }: Initial): Promise<void> {
  // Of one major version there may be several on a machine: "initdb (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)".
  const version = (await run(join(bin, 'initdb'), ['--version']))
    .trim()
    .split(/[^\w.]+/)
    .filter(Boolean)
    .slice(2)
    .join('-');
  const made = await cached({
    ...{ kind: 'data', name: `postgres-${version}`, extension: '.tar' },
    key: keyOf({ flags: FLAGS.join(' '), FIRST_PASSWORD }),
    build: (target) => initdb({ bin, dir, account }, target),
  });
  await run('tar', ['-xf', made, '-C', dir]);
}

interface Initial {
  readonly bin: string;
  readonly dir: string;
  readonly account: string | undefined;
}

async function initdb({ bin, dir, account }: Initial, target: string): Promise<void> {
  // Readable for the account that runs initdb: the folder around it lets nobody else in.
  const passwordFile = join(dir, 'password');
  await writeFile(passwordFile, `${FIRST_PASSWORD}\n`, { mode: 0o644 });
  const data = join(dir, 'data');
  const command = [join(bin, 'initdb'), '--pgdata', data, '--pwfile', passwordFile, ...FLAGS];
  const asAccount =
    account === undefined ? [] : ['setpriv', '--reuid', account, '--regid', account, '--init-groups', '--'];
  const [program, ...args] = [...asAccount, ...command] as [string, ...string[]];
  await run(program, args, { cwd: '/' });
  await run('tar', ['-cf', target, '-C', dir, 'data']);
  await rm(data, { recursive: true });
}
