import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/**
 * What a server keeps of a password (RFC 5803, as in pg_authid.rolpassword), for where it is given a password. PostgreSQL's own has
 * 4096 rounds, which slow down whoever guesses, and every connection of a test on both ends: one round is the same to all but them.
 */
export function scramVerifier(password: string): string {
  const rounds = 1;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, rounds, 32, 'sha256');
  const keyFor = (whom: string) => createHmac('sha256', salted).update(whom).digest();
  const stored = createHash('sha256').update(keyFor('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${rounds}:${salt.toString('base64')}$${stored}:${keyFor('Server Key').toString('base64')}`;
}
