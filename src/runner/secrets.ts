/** Secrets as the kubelet mounts them: a folder per Secret, a file per key. Their volumes are optional, so that what is missing is told here. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DatabaseAccess, MOUNTS, type RestoreBase, type StoreAccess } from '../api/task.ts';
import type { Login } from '../engines/engine.ts';
import { parseIdentities } from '../keys/identities.ts';
import { type HoldfastError, notReady } from '../lib/errors.ts';
import type { S3Credentials } from '../storage/s3-client.ts';

interface MountedSecret {
  /** Folder of the mount. */
  readonly folder: string;
  /** Name of the Secret, for messages. */
  readonly name: string;
}

export async function readLogin(root: string, { credentials }: DatabaseAccess): Promise<Login> {
  const secret = { folder: join(root, MOUNTS.database), name: credentials.secret };
  const username = await readKey(secret, credentials.usernameKey);
  return { username, password: await readKey(secret, credentials.passwordKey) };
}

export async function readStoreCredentials(root: string, store: StoreAccess): Promise<S3Credentials> {
  const secret = { folder: join(root, MOUNTS.store), name: store.secret };
  const accessKeyId = await readKey(secret, 'AWS_ACCESS_KEY_ID');
  const secretAccessKey = await readKey(secret, 'AWS_SECRET_ACCESS_KEY');
  const keys = await keysOf(secret);
  if (!keys.includes('AWS_SESSION_TOKEN')) return { accessKeyId, secretAccessKey };
  return { accessKeyId, secretAccessKey, sessionToken: await readKey(secret, 'AWS_SESSION_TOKEN') };
}

export async function readIdentities(root: string, identity: RestoreBase['identity']): Promise<string[]> {
  const secret = { folder: join(root, MOUNTS.identity), name: identity.secret };
  return parseIdentities(await readKey(secret, identity.key));
}

/**
 * One value as text, without the newline that `echo` and editors put at its end. Whatever is wrong may heal: somebody
 * mends the Secret, and the next attempt finds it so.
 */
export async function readKey(secret: MountedSecret, key: string): Promise<string> {
  const keys = await keysOf(secret);
  if (keys.length === 0) throw missingSecret(secret);
  if (!keys.includes(key)) throw missingKey(secret, key, keys);
  const text = textOf(await readFile(join(secret.folder, key)), secret, key);
  if (text === '') throw unusable('SecretKeyEmpty', `the key ${key} of the Secret ${secret.name} is empty`);
  return text;
}

/** The kubelet's own entries begin with two dots; a key of a Secret never does. */
async function keysOf({ folder }: MountedSecret): Promise<string[]> {
  const entries = await readdir(folder).catch((caught: NodeJS.ErrnoException) => {
    if (caught.code === 'ENOENT') return [];
    throw caught;
  });
  return entries.filter((entry) => !entry.startsWith('..')).sort();
}

function textOf(bytes: Buffer, secret: MountedSecret, key: string): string {
  const value = `the key ${key} of the Secret ${secret.name}`;
  if (bytes.includes(0)) throw unusable('SecretKeyInvalid', `${value} contains a NUL byte`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch {
    // The decoder's own error is not passed on: it might quote what it was given.
    throw unusable('SecretKeyInvalid', `${value} is no text in UTF-8`);
  }
}

function missingSecret({ name }: MountedSecret): HoldfastError {
  return notReady(
    'SecretNotFound',
    `the Secret ${name} does not exist in this namespace, or is empty`,
    `Make it: kubectl create secret generic ${name} --from-file=…`,
  );
}

function missingKey({ name }: MountedSecret, key: string, keys: readonly string[]): HoldfastError {
  return notReady(
    'SecretKeyNotFound',
    `the Secret ${name} has no key ${key}`,
    `Add the key ${key}, or name another one: there is ${keys.join(', ')}.`,
  );
}

function unusable(reason: string, message: string): HoldfastError {
  return notReady(reason, message, 'Write the value into the Secret again, as text.');
}
