import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, notReady } from '../../lib/errors.ts';
import { CONNECT_TIMEOUT_S } from './connection.ts';
import { type Endpoint, methodsOf } from './endpoint.ts';
import { authoritiesOf, tlsEnvironment, verifies } from './tls.ts';

/** How a program of PostgreSQL's is told where to connect, but for {@link connectionString}: nothing secret in its arguments or environment. */
export interface Libpq extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  /** Ours alone, and gone with this. */
  readonly folder: string;
}

/** The files with password and keys live until this is disposed of. `options` are settings of the session, each `name=value`. */
export async function libpq(endpoint: Endpoint, folder: string, options: readonly string[] = []): Promise<Libpq> {
  const files = filesOf(endpoint);
  const home = join(folder, `libpq-${randomUUID()}`);
  const env = environment(endpoint, home, files, options);
  await writeAll(home, files).catch(async (caught: unknown) => {
    await rm(home, { recursive: true, force: true });
    throw new HoldfastError('NoTemporaryFolder', `the files for libpq could not be written into ${folder}`, {
      cause: caught,
    });
  });
  return {
    env,
    folder: home,
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}

/** By name. libpq wants the password and the key to be readable for their owner only, and owned by us. */
type Files = Readonly<Partial<Record<'password' | 'authorities' | 'certificate' | 'key', string>>>;

function filesOf(endpoint: Endpoint): Files {
  const { password, certificate } = endpoint.login;
  return {
    ...(password === undefined ? {} : { password: passwordFile(password) }),
    ...(verifies(endpoint) ? { authorities: authoritiesOf(endpoint) } : {}),
    ...(certificate === undefined ? {} : { certificate: certificate.chain, key: certificate.key }),
  };
}

async function writeAll(home: string, files: Files): Promise<void> {
  await mkdir(home, { mode: 0o700 });
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(home, name), text, { mode: 0o600, flag: 'wx' });
  }
}

/**
 * For `--dbname=`. libpq takes a database name with `=` in it, or one like a URL, for a whole connection string, also from PGDATABASE.
 * Within a connection string the name is only a name.
 */
export function connectionString(database: string): string {
  const quoted = database.replace(/[\\']/g, '\\$&');
  // A peer that fell silent is given up after about a minute; the system's own default is two hours.
  return `dbname='${quoted}' keepalives_idle=30 keepalives_interval=10 keepalives_count=3`;
}

/** One line for every host: the program that reads it connects to one only, and no name needs escaping this way. */
export function passwordFile(password: string): string {
  if (/[\n\r\0]/.test(password)) {
    throw notReady(
      'PasswordUnusable',
      "the password contains a line break, which PostgreSQL's password file cannot hold",
      'write the Secret again without a line break, as with kubectl create secret --from-literal',
    );
  }
  return `*:*:*:*:${password.replace(/[\\:]/g, '\\$&')}\n`;
}

function environment(
  endpoint: Endpoint,
  home: string,
  files: Files,
  options: readonly string[],
): Readonly<Record<string, string>> {
  const paths = Object.fromEntries(Object.keys(files).map((name) => [name, join(home, name)]));
  return {
    LC_ALL: 'C.UTF-8',
    // libpq looks for certificates and services in ~/.postgresql, and there are none.
    HOME: home,
    PGHOST: endpoint.host,
    PGPORT: String(endpoint.port),
    PGUSER: endpoint.login.username,
    // Also where there is no password: else libpq would look elsewhere.
    PGPASSFILE: join(home, 'password'),
    PGAPPNAME: endpoint.applicationName,
    PGCONNECT_TIMEOUT: String(CONNECT_TIMEOUT_S),
    PGGSSENCMODE: 'disable',
    ...tlsEnvironment(endpoint, paths),
    // libpq before 16 ignores this and PGSSLCERTMODE in silence; the image has a newer one.
    PGREQUIREAUTH: [...methodsOf(endpoint)].map((method) => (method === 'cert' ? 'none' : method)).join(','),
    PGCHANNELBINDING: endpoint.login.channelBinding === true ? 'require' : 'prefer',
    ...(options.length === 0 ? {} : { PGOPTIONS: options.map((option) => `-c ${option}`).join(' ') }),
  };
}
