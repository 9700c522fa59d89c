import type { BackupKey } from '../../api/backup-key.ts';
import type { Restore } from '../../api/restore.ts';
import type { IdentityChoice } from './facts.ts';

/** The Secret with the private key: the one that the Restore names, else that of the key that the backup was made with. Pure. */
export function chooseIdentity(restore: Restore, key: BackupKey | undefined): IdentityChoice {
  const reference = restore.spec.identity?.secretRef ?? key?.spec.identity?.secretRef;
  if (reference !== undefined) return { secret: reference.name, key: reference.key };
  const why =
    key === undefined
      ? 'the BackupKey of the backup is not there'
      : `BackupKey "${key.metadata.name}" has no spec.identity`;
  return {
    wait: {
      reason: 'NoIdentity',
      message: `There is no private key to open the archive with: the Restore names none and ${why}.`,
      hint: `Put the private key into a Secret, kubectl create secret generic backup-identity --from-file=identity=backup.key, and make a new Restore with spec.identity.secretRef {name: backup-identity, key: identity}.`,
    },
  };
}
