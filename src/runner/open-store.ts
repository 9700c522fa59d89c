import type { StoreAccess } from '../api/task.ts';
import { BRISK } from '../storage/retry.ts';
import type { Storage } from '../storage/storage.ts';
import type { RunnerContext } from './context.ts';
import { readStoreCredentials } from './secrets.ts';

/** The store of a task, with the credentials of its Secret. Its requests end with the run. */
export async function openStore(store: StoreAccess, context: RunnerContext): Promise<Storage> {
  return context.openStorage(store, await readStoreCredentials(context.root, store), { signal: context.signal });
}

/** Not patient: for the questions before anything was begun, whose answer a person waits for. */
export async function openStoreBriskly(store: StoreAccess, context: RunnerContext): Promise<Storage> {
  return context.openStorage(store, await readStoreCredentials(context.root, store), {
    signal: context.signal,
    patience: BRISK,
  });
}
