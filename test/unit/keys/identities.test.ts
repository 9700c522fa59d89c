import { describe, expect, test } from '@jest/globals';
import { newIdentity, parseIdentities, recipientsOf } from '../../../src/keys/identities.ts';
import { messageOf } from '../../../src/lib/errors.ts';

const classic = await newIdentity('classic');
const postQuantum = await newIdentity('post-quantum');

describe('an identity file', () => {
  test.each([
    ['bare', classic.identity],
    ['with a line feed at its end', `${classic.identity}\n`],
    ['with CRLF', `${classic.identity}\r\n`],
    [
      'as age-keygen writes it',
      `# created: 2026-11-24T08:00:00Z\n# public key: ${classic.recipient}\n${classic.identity}\n`,
    ],
    ['with empty lines and spaces', `\n\n  ${classic.identity}  \n\n`],
    ['with a byte order mark', `\uFEFF${classic.identity}\n`],
  ])('%s is read', (_, text) => {
    expect(parseIdentities(text)).toEqual([classic.identity]);
  });

  test('may hold several', async () => {
    const identities = parseIdentities(`${classic.identity}\n# new\n${postQuantum.identity}\n`);
    expect(await recipientsOf(identities)).toEqual([classic.recipient, postQuantum.recipient]);
  });

  test.each([
    ['that is empty', '', 'holds no identity'],
    ['of comments only', '# nothing\n', 'holds no identity'],
    ['with the public key', `# mine\n${classic.recipient}\n`, 'line 2 of the identity file is a recipient'],
    ['with a cut key', classic.identity.slice(0, -3), 'line 1 of the identity file is no age identity'],
    ['of a plugin', 'AGE-PLUGIN-YUBIKEY-1QQQQ', 'is of a plugin'],
    ['that is encrypted', 'age-encryption.org/v1\n-> scrypt x 18\n', 'is itself encrypted'],
    ['that is encrypted and armoured', '-----BEGIN AGE ENCRYPTED FILE-----\n', 'is itself encrypted'],
  ])('%s is refused with the reason', (_, text, reason) => {
    expect(() => parseIdentities(text)).toThrow(reason);
  });

  test('that is wrong is never quoted', () => {
    const wrong = `${classic.identity}X`;
    try {
      parseIdentities(wrong);
      throw new Error('should have been refused');
    } catch (caught) {
      expect(messageOf(caught)).toContain('is no age identity');
      expect(JSON.stringify(caught, Object.getOwnPropertyNames(caught as object))).not.toContain(wrong.slice(16, 40));
    }
  });
});
