/** Secrets as the kubelet mounts them: a folder per Secret, a file per key. Their volumes are optional, so that what is missing is told here. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MOUNTS, type RestoreBase } from '../api/task.ts';
import { parseIdentities } from '../keys/identities.ts';
import { type HoldfastError, notReady } from '../lib/errors.ts';

export interface MountedSecret {
  /** Folder of the mount. */
  readonly folder: string;
  /** What is public may be in a ConfigMap; absent: a Secret. */
  readonly kind?: 'Secret' | 'ConfigMap';
  /** Name of the Secret, for messages. */
  readonly name: string;
  /** Where not all keys are mounted, those that are: that none is there may then have two reasons. */
  readonly only?: readonly string[];
}

/** How a value is called in messages. */
export function placeOf({ kind = 'Secret', name }: MountedSecret, key: string): string {
  return `the key ${key} of the ${kind} ${name}`;
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
  if (text === '') throw unusable('SecretKeyEmpty', `${placeOf(secret, key)} is empty`);
  return text;
}

export async function hasKey(secret: MountedSecret, key: string): Promise<boolean> {
  return (await keysOf(secret)).includes(key);
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
  const value = placeOf(secret, key);
  if (bytes.includes(0)) throw unusable('SecretKeyInvalid', `${value} contains a NUL byte`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch {
    // The decoder's own error is not passed on: it might quote what it was given.
    throw unusable('SecretKeyInvalid', `${value} is no text in UTF-8`);
  }
}

const REASONS = {
  Secret: { missing: 'SecretNotFound', keyMissing: 'SecretKeyNotFound' },
  ConfigMap: { missing: 'ConfigMapNotFound', keyMissing: 'ConfigMapKeyNotFound' },
} as const;

function missingSecret({ kind = 'Secret', name, only }: MountedSecret): HoldfastError {
  const none = only === undefined ? 'is empty' : `has no ${only.length > 1 ? 'keys' : 'key'} ${only.join(' and ')}`;
  return notReady(
    REASONS[kind].missing,
    `the ${kind} ${name} does not exist in this namespace, or ${none}`,
    `Make it: kubectl create ${kind === 'Secret' ? 'secret generic' : 'configmap'} ${name} --from-file=…`,
  );
}

function missingKey({ kind = 'Secret', name }: MountedSecret, key: string, keys: readonly string[]): HoldfastError {
  return notReady(
    REASONS[kind].keyMissing,
    `the ${kind} ${name} has no key ${key}`,
    `Add the key ${key}, or name another one: there is ${keys.join(', ')}.`,
  );
}

function unusable(reason: string, message: string): HoldfastError {
  return notReady(reason, message, 'Write the value into the Secret again, as text.');
}
