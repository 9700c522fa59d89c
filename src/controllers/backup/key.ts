import type { BackupKey } from '../../api/backup-key.ts';
import { isTrue } from '../../api/conditions.ts';
import type { Failure } from '../../lib/errors.ts';

/** Which key a backup is encrypted with, or why none can be told. Pure. */
export type KeyChoice = { readonly key: BackupKey } | { readonly wait: Failure };

const MAKE_ONE =
  'Make one: kubectl holdfast key create key --default. Without the plugin: age-keygen -o backup.key prints the public key; put it in spec.recipients of a BackupKey with default: true. Keep the private key outside the cluster.';

/** The key that the backup names, else the default one of its namespace; `keys` are all of that namespace. */
export function chooseKey(keyRef: { readonly name: string } | undefined, keys: readonly BackupKey[]): KeyChoice {
  return keyRef === undefined ? theDefault(keys) : theNamed(keyRef.name, keys);
}

function theNamed(name: string, keys: readonly BackupKey[]): KeyChoice {
  const key = keys.find(({ metadata }) => metadata.name === name);
  if (key === undefined) return wait('KeyNotFound', `There is no BackupKey "${name}" in this namespace.`, MAKE_ONE);
  return usable(key);
}

function theDefault(keys: readonly BackupKey[]): KeyChoice {
  const defaults = keys.filter(({ spec }) => spec.default === true);
  const [first, second] = defaults;
  if (first === undefined)
    return wait('NoKey', 'The backup names no key, and no BackupKey of this namespace says default: true.', MAKE_ONE);
  if (second !== undefined) {
    const names = defaults
      .map(({ metadata }) => metadata.name)
      .sort()
      .join(', ');
    return wait(
      'DefaultConflict',
      `The backup names no key, and ${names} all say default: true.`,
      'Leave default: true on one of them, or name one in spec.keyRef.',
    );
  }
  return usable(first);
}

/** A key that was never judged in its present form is not used: its recipients may be mistyped. */
function usable(key: BackupKey): KeyChoice {
  const ready = key.status?.conditions?.find(({ type }) => type === 'Ready');
  if (isTrue(key.status?.conditions, 'Ready') && ready?.observedGeneration === key.metadata.generation) return { key };
  const message = ready === undefined ? 'it has not been looked at yet' : ready.message;
  return wait(
    'KeyNotReady',
    `BackupKey "${key.metadata.name}" cannot be used: ${message}`,
    `kubectl describe backupkey ${key.metadata.name} tells more.`,
  );
}

function wait(reason: string, message: string, hint: string): KeyChoice {
  return { wait: { reason, message, hint } };
}
