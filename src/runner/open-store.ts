import { join } from 'node:path';
import { STORE_SECRET_KEYS } from '../api/backup-store.ts';
import { MOUNTS, type StoreAccess } from '../api/task.ts';
import { BRISK } from '../storage/retry.ts';
import type { S3Options } from '../storage/s3.ts';
import type { S3Credentials, S3Login } from '../storage/s3-client.ts';
import { AMBIENT } from '../storage/s3-identity.ts';
import type { Storage } from '../storage/storage.ts';
import { certificatesOf } from './certificates.ts';
import type { RunnerContext } from './context.ts';
import { hasKey, placeOf, readKey } from './secrets.ts';

/** The store of a task, as whom its BackupStore says. Its requests end with the run. */
export async function openStore(store: StoreAccess, context: RunnerContext): Promise<Storage> {
  return open(store, context, {});
}

/** Not patient: for the questions before anything was begun, whose answer a person waits for. */
export async function openStoreBriskly(store: StoreAccess, context: RunnerContext): Promise<Storage> {
  return open(store, context, { patience: BRISK });
}

async function open(store: StoreAccess, context: RunnerContext, options: S3Options): Promise<Storage> {
  const login = await readStoreLogin(context.root, store);
  const authorities = await readStoreAuthorities(context.root, store);
  return context.openStorage(store, login, {
    signal: context.signal,
    ...(authorities === undefined ? {} : { authorities }),
    ...options,
  });
}

export async function readStoreLogin(root: string, store: StoreAccess): Promise<S3Login> {
  return store.secret === undefined ? AMBIENT : readCredentials(root, store.secret, store.secretKeys);
}

async function readCredentials(
  root: string,
  name: string,
  { accessKeyIdKey, secretAccessKeyKey, sessionTokenKey }: NonNullable<StoreAccess['secretKeys']> = STORE_SECRET_KEYS,
): Promise<S3Credentials> {
  const secret = { folder: join(root, MOUNTS.store), name };
  const accessKeyId = await readKey(secret, accessKeyIdKey);
  const secretAccessKey = await readKey(secret, secretAccessKeyKey);
  if (!(await hasKey(secret, sessionTokenKey))) return { accessKeyId, secretAccessKey };
  return { accessKeyId, secretAccessKey, sessionToken: await readKey(secret, sessionTokenKey) };
}

async function readStoreAuthorities(root: string, { authorities }: StoreAccess): Promise<string | undefined> {
  if (authorities === undefined) return undefined;
  const { kind, name, key } = authorities;
  const place = { folder: join(root, MOUNTS.storeCa), kind, name, only: [key] };
  return certificatesOf(await readKey(place, key), placeOf(place, key));
}
