/** Makes an age key pair on this side, and tells the cluster the public half. */
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { BackupKey } from '../../src/api/backup-key.ts';
import { isTrue } from '../../src/api/conditions.ts';
import { example, withRecipient } from '../examples.ts';
import { applyShown } from '../files.ts';
import type { Kubectl } from '../kubectl.ts';
import { IDENTITY, secret } from '../objects.ts';
import { Problem } from '../problem.ts';
import { during, proof, tell, title } from '../say.ts';
import { pause } from '../settled.ts';

export async function makeKey(kubectl: Kubectl): Promise<void> {
  title('A key');
  tell(
    'An age key pair, made by this program. Archives are encrypted to its public half; only the private half opens them.',
  );
  const identity = (await keptIdentity(kubectl)) ?? (await generateX25519Identity());
  await kubectl.apply([secret(IDENTITY.secret, { [IDENTITY.key]: identity })]);
  const recipient = await identityToRecipient(identity);
  const key = withRecipient(await example('postgresql.yaml', 'BackupKey'), recipient);
  await applyShown(kubectl, key, 'key.yaml');
  await during('waiting until the operator accepts it', () => ready(kubectl, 'backupkey', key.metadata.name));
  proof(
    `${recipient.slice(0, 20)}… is all that a backup needs. In earnest the private half lies in a safe; here it is in the Secret ${IDENTITY.secret}, for the restore below.`,
  );
}

/** Archives of earlier runs are encrypted to the earlier key; a second run goes on with it. */
async function keptIdentity(kubectl: Kubectl): Promise<string | undefined> {
  const kept = await kubectl.get<{ data: Record<string, string> }>('secret', IDENTITY.secret);
  const value = kept?.data[IDENTITY.key];
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString().trim();
}

const READY_DEADLINE_MS = 90_000;

/** Until the object's condition Ready is True. */
export async function ready(kubectl: Kubectl, resource: string, name: string): Promise<void> {
  const until = performance.now() + READY_DEADLINE_MS;
  for (;;) {
    const object = await kubectl.get<BackupKey>(resource, name);
    const conditions = object?.status?.conditions;
    const current = object?.status?.observedGeneration === object?.metadata.generation;
    if (current && isTrue(conditions, 'Ready')) return;
    if (performance.now() > until) {
      const state = conditions?.find((condition) => condition.type === 'Ready');
      throw new Problem(
        `${resource} ${name} is not Ready: ${state === undefined ? 'the operator has not looked at it' : `${state.reason}: ${state.message}`}`,
        `kubectl -n ${kubectl.namespace} describe ${resource} ${name}`,
      );
    }
    await pause(300);
  }
}
