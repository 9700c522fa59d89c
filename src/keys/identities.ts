/** age identities: the private keys that open archives. Nothing here ever puts one into a message. */
import { Decrypter, generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { HoldfastError } from '../lib/errors.ts';
import type { RecipientClass } from './recipients.ts';

const HINT = 'The Secret must hold what age-keygen wrote: a line AGE-SECRET-KEY-…, comments are allowed.';

/** The identities of a file as age-keygen writes it: one a line, `#` begins a comment, empty lines and CRLF are fine. */
export function parseIdentities(text: string): string[] {
  if (/^(age-encryption\.org\/v1|-----BEGIN AGE ENCRYPTED FILE-----)/.test(text.trimStart())) {
    throw invalid('the identity file is itself encrypted', 'Decrypt it first (age -d), then store the plain identity.');
  }
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const identities = lines.flatMap((line, index) => {
    const entry = line.trim();
    return entry === '' || entry.startsWith('#') ? [] : [checked(entry, index + 1)];
  });
  if (identities.length === 0) throw invalid('the identity file holds no identity', HINT);
  return identities;
}

/** A new identity that exists in memory only, and its recipient. */
export async function newIdentity(
  kind: RecipientClass,
): Promise<{ readonly identity: string; readonly recipient: string }> {
  const identity = await (kind === 'post-quantum' ? generateHybridIdentity() : generateX25519Identity());
  return { identity, recipient: await identityToRecipient(identity) };
}

/** The recipients that the identities open the archives of. */
export function recipientsOf(identities: readonly string[]): Promise<string[]> {
  return Promise.all(identities.map((identity) => identityToRecipient(identity)));
}

function checked(entry: string, line: number): string {
  if (entry.startsWith('age1')) {
    throw invalid(`line ${line} of the identity file is a recipient, which is the public key`, HINT);
  }
  if (entry.startsWith('AGE-PLUGIN-')) {
    throw invalid(`line ${line} of the identity file is of a plugin or a hardware key, which no Job can use`, HINT);
  }
  try {
    new Decrypter().addIdentity(entry);
    return entry;
  } catch {
    // The library's own error is not passed on: it might quote what it was given.
    throw invalid(`line ${line} of the identity file is no age identity`, HINT);
  }
}

function invalid(message: string, hint: string): HoldfastError {
  return new HoldfastError('IdentityInvalid', message, { hint });
}
