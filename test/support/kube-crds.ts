/** Our kinds on an API server of a test. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Backup } from '../../src/api/backup.ts';
import type { BackupKey } from '../../src/api/backup-key.ts';
import type { BackupStore } from '../../src/api/backup-store.ts';
import type { NewCrd } from '../../src/api/kubernetes.ts';
import type { Restore } from '../../src/api/restore.ts';
import { applyCrds } from '../../src/hooks/apply-crds.ts';
import { CrdClient } from '../../src/kube/crds.ts';
import { run } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { admin, createObject, patchStatus } from './kube-admin.ts';

const CRDS = join(import.meta.dirname, '..', '..', 'crds');

export async function kubectl(kubeconfig: string, args: readonly string[], input?: string): Promise<string> {
  return run(await program('kubectl'), ['--kubeconfig', kubeconfig, ...args], input === undefined ? {} : { input });
}

/** Installs them and makes the operator's namespace; returns when all of them are served. */
export async function installKinds(kubeconfig: string): Promise<void> {
  const http = await admin(kubeconfig);
  const wanted = readdirSync(CRDS).map((file): NewCrd => parse(readFileSync(join(CRDS, file), 'utf8')));
  await applyCrds({ crds: new CrdClient(http), wanted, say: () => undefined, within: 20_000, every: 100 });
  await http.json({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: 'holdfast-system' } } });
}

/** A store or a key as it is once it was tried and works, for tests whose subject is something else. */
export async function createReady(
  kubeconfig: string,
  { apiVersion, kind, metadata, spec, status }: BackupStore | BackupKey | Backup | Restore,
  namespace: string,
): Promise<void> {
  const { name, labels } = metadata;
  const wanted = { apiVersion, kind, metadata: { name, namespace, labels }, spec };
  await createObject(kubeconfig, wanted);
  await patchStatus(kubeconfig, wanted, status);
}
