import type { BackupKey } from '../../api/backup-key.ts';
import type { Restore } from '../../api/restore.ts';
import type { IdentityChoice } from './facts.ts';

/**
 * The Secret with the private key: the one that the Restore names, else that of the key that the backup was made with.
 * `told`: what an earlier Job was told, which counts where the Backup is gone and with it the name of its key. Pure.
 */
export function chooseIdentity(
  restore: Restore,
  key: BackupKey | undefined,
  told?: { readonly secret: string; readonly key: string },
): IdentityChoice {
  const own = restore.spec.identity?.secretRef;
  if (own === undefined && told !== undefined) return told;
  const reference = own ?? key?.spec.identity?.secretRef;
  if (reference !== undefined) return { secret: reference.name, key: reference.key };
  const why =
    key === undefined
      ? restore.spec.from.archive === undefined
        ? 'the BackupKey of the backup is not there'
        : 'the namespace has no BackupKey that is its default'
      : `BackupKey "${key.metadata.name}" has no spec.identity`;
  return {
    wait: {
      reason: 'NoIdentity',
      message: `There is no private key to open the archive with: the Restore names none and ${why}.`,
      hint: `Put the private key into a Secret, kubectl create secret generic backup-identity --from-file=identity=backup.key, and make a new Restore with spec.identity.secretRef {name: backup-identity, key: identity}.`,
    },
  };
}
