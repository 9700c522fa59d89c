/** age recipients: the public keys that archives are encrypted to. Pure; the operator uses it too. */
import { createHash } from 'node:crypto';
import { Encrypter } from 'age-encryption';
import { messageOf } from '../lib/errors.ts';

/** age forbids mixing them in one file: the weaker class would undo the promise of the stronger. */
export type RecipientClass = 'classic' | 'post-quantum';

const POST_QUANTUM = 'age1pq1';

/** Names a recipient where the whole one, some 2,000 characters if it is post-quantum, would be too long: `sha256:` and 32 hexadecimal digits. */
export function fingerprint(recipient: string): string {
  return `sha256:${createHash('sha256').update(recipient).digest('hex').slice(0, 32)}`;
}

/** Of a valid recipient; see {@link validateRecipient}. */
export function recipientClass(recipient: string): RecipientClass {
  return recipient.startsWith(POST_QUANTUM) ? 'post-quantum' : 'classic';
}

/** Throws what is wrong with a recipient: the end of a sentence that begins with "is no age recipient:". */
export function validateRecipient(recipient: string): void {
  if (/^AGE-SECRET-KEY-/i.test(recipient)) {
    throw new Error('it is a private key; here belongs the public one, which begins with age1');
  }
  if (/^age1tag/.test(recipient)) throw new Error('it is of a hardware key, which no restore could use');
  try {
    new Encrypter().addRecipient(recipient);
  } catch (caught) {
    throw new Error(`${messageOf(caught)}; copy it whole, from age1 to its last character`);
  }
}

/** What is wrong with the recipients of one archive, as a sentence; undefined when they can be used together. */
export function recipientsProblem(recipients: readonly string[]): string | undefined {
  if (recipients.length === 0) return 'there is no recipient';
  for (const [index, recipient] of recipients.entries()) {
    try {
      validateRecipient(recipient);
    } catch (caught) {
      return `recipient ${index + 1} of ${recipients.length} is no age recipient: ${messageOf(caught)}`;
    }
  }
  if (new Set(recipients.map(recipientClass)).size > 1) {
    return 'age forbids mixing post-quantum recipients (age1pq1…) with classic ones: use one class for all';
  }
  return undefined;
}
