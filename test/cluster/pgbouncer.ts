/** A throwaway PgBouncer on this machine, from Debian's package, before a PostgreSQL server. It ends with this process. */
import { chmod, chown, copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { run } from './command.ts';
import { ensureDebianPackages } from './debian.ts';
import { freePorts } from './ports.ts';
import { answers, type LocalPostgres } from './postgres.ts';
import { tempDir } from './temp-dir.ts';
import { lastLinesOf, startTied } from './tied-process.ts';
import { waitFor } from './wait.ts';

export interface PgBouncer {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

export interface PgBouncerOptions {
  readonly mode: 'session' | 'transaction' | 'statement';
  /** Files of the certificate that it shows; it takes clients with TLS only. */
  readonly certificate: string;
  readonly key: string;
  /** Further settings, over ours. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** PgBouncer refuses to run as root. The account came with PostgreSQL's package. */
const ACCOUNT = 'postgres';

/** Lets in who has a password on the server, by SCRAM, with the same secret. */
export async function localPgBouncer(server: LocalPostgres, options: PgBouncerOptions): Promise<PgBouncer> {
  await ensureDebianPackages(['pgbouncer']);
  const dir = await tempDir('pgbouncer');
  const [port] = (await freePorts(1, server.host)) as [number];
  const files = {
    'server.crt': options.certificate,
    'server.key': options.key,
  };
  for (const [name, source] of Object.entries(files)) await copyFile(source, join(dir, name));
  await writeFile(join(dir, 'users.txt'), await users(server));
  await writeFile(join(dir, 'pgbouncer.ini'), configuration(server, dir, port, options));
  const asAccount = process.getuid?.() === 0;
  if (asAccount) await give(dir, [...Object.keys(files), 'users.txt', 'pgbouncer.ini']);
  const log = join(dir, 'pgbouncer.log');
  const bouncer = startTied('/usr/sbin/pgbouncer', [join(dir, 'pgbouncer.ini')], {
    log,
    cwd: dir,
    ...(asAccount && { user: ACCOUNT }),
  });
  await waitFor(() => answers({ ...accessTo(server, port), ssl: { rejectUnauthorized: false } }), {
    timeoutMs: 20_000,
    hopeless: () => !bouncer.running(),
    otherwise: () => `PgBouncer did not become ready:\n${lastLinesOf(log)}\nNext: read ${log}`,
  });
  return {
    host: server.host,
    port,
    async stop() {
      await bouncer.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function give(dir: string, files: readonly string[]): Promise<void> {
  const [uid, gid] = [Number(await run('id', ['-u', ACCOUNT])), Number(await run('id', ['-g', ACCOUNT]))];
  for (const path of [dir, ...files.map((name) => join(dir, name))]) {
    await chown(path, uid, gid);
    await chmod(path, path === dir ? 0o700 : 0o600);
  }
}

/** Every role with its secret, which opens both PgBouncer and the server. */
async function users(server: LocalPostgres): Promise<string> {
  const client = new pg.Client(accessTo(server, server.port));
  await client.connect();
  try {
    const { rows } = await client.query('SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL');
    return rows.map(({ rolname, rolpassword }) => `"${rolname}" "${rolpassword}"\n`).join('');
  } finally {
    await client.end();
  }
}

function configuration(server: LocalPostgres, dir: string, port: number, options: PgBouncerOptions): string {
  const settings = {
    listen_addr: server.host,
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: join(dir, 'users.txt'),
    pool_mode: options.mode,
    client_tls_sslmode: 'require',
    client_tls_cert_file: join(dir, 'server.crt'),
    client_tls_key_file: join(dir, 'server.key'),
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  return `[databases]\n* = host=${server.host} port=${server.port}\n[pgbouncer]\n${lines.join('')}`;
}

function accessTo({ host, superuser, password }: LocalPostgres, port: number): pg.ClientConfig {
  return { host, port, user: superuser, password, database: 'postgres' };
}
