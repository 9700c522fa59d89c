/** Our kinds on an API server of a test. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Backup } from '../../src/api/backup.ts';
import type { BackupKey } from '../../src/api/backup-key.ts';
import type { BackupStore } from '../../src/api/backup-store.ts';
import type { Restore } from '../../src/api/restore.ts';
import { run } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { waitFor } from '../cluster/wait.ts';
import { createObject, patchStatus } from './kube-admin.ts';

const CRDS = join(import.meta.dirname, '..', '..', 'crds');

/** `holdfast.dev_backups.yaml` holds `backups.holdfast.dev`. */
function resources(): string[] {
  return readdirSync(CRDS).map((file) => file.replace(/^(.*)_(.*)\.yaml$/, '$2.$1'));
}

export async function kubectl(kubeconfig: string, args: readonly string[], input?: string): Promise<string> {
  return run(await program('kubectl'), ['--kubeconfig', kubeconfig, ...args], input === undefined ? {} : { input });
}

/** Installs them and makes the operator's namespace; returns when all of them are served. */
export async function installKinds(kubeconfig: string): Promise<void> {
  await kubectl(kubeconfig, ['apply', '--server-side', '-f', CRDS]);
  await kubectl(kubeconfig, ['create', 'namespace', 'holdfast-system']);
  const all = resources().join(',');
  await waitFor(() => kubectl(kubeconfig, ['get', all, '-A']).then(() => true), {
    timeoutMs: 20_000,
    otherwise: () => `not all of ${all} are served`,
  });
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
