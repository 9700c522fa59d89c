import { join } from 'node:path';
import { DEFAULT_AUTHENTICATION, entryProblem } from '../api/postgresql.ts';
import { MOUNTS, type ServerAccess } from '../api/task.ts';
import type { Login } from '../engines/engine.ts';
import { notReady } from '../lib/errors.ts';
import { certificatesOf, clientCertificateOf } from './certificates.ts';
import { mustAgree, parseDatabaseUri } from './database-uri.ts';
import { type MountedSecret, placeOf, readKey } from './secrets.ts';

/** All that the Secrets say about getting into the database. Whatever is wrong with them may heal. */
export async function readLogin(root: string, access: ServerAccess): Promise<Login> {
  const problem = entryProblem(access);
  if (problem !== undefined) throw problem;
  return {
    ...(await readRole(root, access)),
    ...(await readAuthorities(root, access)),
    ...(await readClientCertificate(root, access)),
  };
}

async function readRole(root: string, access: ServerAccess): Promise<Login> {
  const { credentials } = access;
  const secret = { folder: join(root, MOUNTS.database), name: credentials.secret };
  if ('uriKey' in credentials) return readUri(secret, access, credentials);
  const username = await readKey(secret, credentials.usernameKey);
  return needsPassword(access) ? { username, password: await readKey(secret, credentials.passwordKey) } : { username };
}

async function readUri(
  secret: MountedSecret,
  access: ServerAccess,
  { uriKey, databases }: Extract<ServerAccess['credentials'], { readonly uriKey: string }>,
): Promise<Login> {
  const place = placeOf(secret, uriKey);
  const uri = parseDatabaseUri(await readKey(secret, uriKey), place);
  mustAgree(uri, { host: access.host, port: access.port, ...(databases === undefined ? {} : { databases }) }, place);
  const { username, password, leastTls, channelBinding } = uri;
  const login = {
    username,
    ...(leastTls === undefined ? {} : { leastTls }),
    ...(channelBinding === undefined ? {} : { channelBinding }),
  };
  if (!needsPassword(access)) return login;
  if (password === undefined) {
    throw notReady(
      'UriInvalid',
      `the URI in ${place} has no password`,
      'Write postgresql://role:password@host:5432/database.',
    );
  }
  return { ...login, password };
}

/** Where the certificate is the only proof, a password would be one secret too many. */
function needsPassword({ authentication = DEFAULT_AUTHENTICATION }: ServerAccess): boolean {
  return authentication.some((method) => method !== 'cert');
}

async function readAuthorities(root: string, { tls }: ServerAccess): Promise<Pick<Login, 'authorities'>> {
  if (tls?.authorities === undefined) return {};
  const { secret: name, key } = tls.authorities;
  const secret = { folder: join(root, MOUNTS.databaseCa), name, only: [key] };
  return { authorities: certificatesOf(await readKey(secret, key), placeOf(secret, key)) };
}

async function readClientCertificate(root: string, { tls }: ServerAccess): Promise<Pick<Login, 'certificate'>> {
  if (tls?.clientCertificate === undefined) return {};
  const { secret: name, certificateKey, privateKeyKey } = tls.clientCertificate;
  const secret = { folder: join(root, MOUNTS.databaseCertificate), name, only: [certificateKey, privateKeyKey] };
  const read = async (key: string) => ({ pem: await readKey(secret, key), place: placeOf(secret, key) });
  return { certificate: clientCertificateOf(await read(certificateKey), await read(privateKeyKey)) };
}
