import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, notReady } from '../../lib/errors.ts';
import { CONNECT_TIMEOUT_S } from './connection.ts';
import type { Endpoint } from './endpoint.ts';

/** How a program of PostgreSQL's is told where to connect, but for {@link connectionString}: nothing secret in its arguments or environment. */
export interface Libpq extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
}

/** The file with the password lives until this is disposed of. `options` are settings of the session, each `name=value`. */
export async function libpq(endpoint: Endpoint, folder: string, options: readonly string[] = []): Promise<Libpq> {
  const path = join(folder, `pgpass-${randomUUID()}`);
  await writeFile(path, passwordFile(endpoint.login.password), { mode: 0o600, flag: 'wx' }).catch((caught: unknown) => {
    throw new HoldfastError('NoTemporaryFolder', `the password file could not be written into ${folder}`, {
      cause: caught,
    });
  });
  return {
    env: environment(endpoint, path, folder, options),
    [Symbol.asyncDispose]: () => rm(path, { force: true }),
  };
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
  passFile: string,
  home: string,
  options: readonly string[],
): Readonly<Record<string, string>> {
  return {
    LC_ALL: 'C.UTF-8',
    // libpq looks for certificates and services in ~/.postgresql; none of them are ours.
    HOME: home,
    PGHOST: endpoint.host,
    PGPORT: String(endpoint.port),
    PGUSER: endpoint.login.username,
    PGPASSFILE: passFile,
    PGAPPNAME: endpoint.applicationName,
    PGCONNECT_TIMEOUT: String(CONNECT_TIMEOUT_S),
    PGSSLMODE: 'prefer',
    PGGSSENCMODE: 'disable',
    // libpq before 16 ignores this in silence; the image has a newer one.
    PGREQUIREAUTH: 'scram-sha-256,md5',
    PGOPTIONS: options.map((option) => `-c ${option}`).join(' '),
  };
}
