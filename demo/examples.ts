/** The objects of examples/*.yaml with what only this run knows filled in. What the demo shows is what a person would apply. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Backup } from '../src/api/backup.ts';
import type { BackupKey } from '../src/api/backup-key.ts';
import type { BackupStore } from '../src/api/backup-store.ts';
import type { Restore } from '../src/api/restore.ts';

/** One object of an example, as its author wrote it: without what the API server adds. */
export type Written<T extends { readonly spec: unknown }> = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: T['spec'];
};

interface Kinds {
  readonly BackupStore: BackupStore;
  readonly BackupKey: BackupKey;
  readonly Backup: Backup;
  readonly Restore: Restore;
}

const FOLDER = join(import.meta.dirname, '..', 'examples');

/** The only object of that kind in an example. */
export async function example<K extends keyof Kinds>(file: string, kind: K): Promise<Written<Kinds[K]>> {
  const text = await readFile(join(FOLDER, file), 'utf8');
  const objects = parseAllDocuments(text).map((document) => document.toJS() as Written<Kinds[K]>);
  const found = objects.filter((object) => object.kind === kind);
  const [only] = found;
  if (only === undefined || found.length > 1)
    throw new Error(`examples/${file} has ${found.length} objects of ${kind}`);
  return only;
}

export function named<T extends { readonly metadata: { readonly name: string } }>(object: T, name: string): T {
  return { ...object, metadata: { ...object.metadata, name } };
}

/** Encrypted to this key. */
export function withRecipient(key: Written<BackupKey>, recipient: string): Written<BackupKey> {
  return { ...key, spec: { ...key.spec, recipients: [recipient] } };
}

/** Restoring that backup. */
export function restoring(restore: Written<Restore>, backup: string): Written<Restore> {
  return { ...restore, spec: { ...restore.spec, from: { backupRef: { name: backup } } } };
}
