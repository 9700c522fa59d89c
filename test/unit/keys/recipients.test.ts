import { describe, expect, test } from '@jest/globals';
import { newIdentity } from '../../../src/keys/identities.ts';
import { fingerprint, recipientClass, recipientsProblem, validateRecipient } from '../../../src/keys/recipients.ts';

const classic = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
const privateKey = (await newIdentity('classic')).identity;
const postQuantum = (await newIdentity('post-quantum')).recipient;

describe('a recipient', () => {
  test('has a fingerprint that never changes: manifests carry it for ever', () => {
    expect(fingerprint(classic)).toBe('sha256:cf7e5682313150685bf16e42c4ea48e1');
  });

  test('is told from a post-quantum one', () => {
    expect([classic, postQuantum].map(recipientClass)).toEqual(['classic', 'post-quantum']);
  });

  test.each([
    ['whole', classic],
    ['whole and post-quantum', postQuantum],
  ])('that is %s is fine', (_, recipient) => {
    expect(() => validateRecipient(recipient)).not.toThrow();
  });

  test.each([
    ['with its last character missing', classic.slice(0, -1), 'copy it whole'],
    ['with one character changed', classic.replace('q', 'p'), 'copy it whole'],
    ['cut, and post-quantum', postQuantum.slice(0, 500), 'copy it whole'],
    ['of another system', 'ssh-ed25519 AAAA', 'unrecognized recipient type'],
    ['of a plugin', 'age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t', 'invalid recipient'],
    ['that is a private key', privateKey, 'is a private key'],
    ['of a hardware key', `age1tag1${'q'.repeat(50)}`, 'hardware key'],
  ])('%s is refused with the reason', (_, recipient, reason) => {
    expect(() => validateRecipient(recipient)).toThrow(reason);
  });

  test('that is a private key never comes back in the message', async () => {
    const { identity } = await newIdentity('classic');
    expect(recipientsProblem([identity])).not.toContain(identity.slice(20));
  });
});

describe('the recipients of one archive', () => {
  test('of one class go together', () => {
    expect(recipientsProblem([classic, classic])).toBeUndefined();
    expect(recipientsProblem([postQuantum])).toBeUndefined();
  });

  test('of both classes do not', () => {
    expect(recipientsProblem([classic, postQuantum])).toContain('forbids mixing');
  });

  test('must be there', () => {
    expect(recipientsProblem([])).toBe('there is no recipient');
  });

  test('are told by their place when one is wrong', () => {
    expect(recipientsProblem([classic, 'age1nonsense'])).toMatch(/^recipient 2 of 2 is no age recipient/);
  });
});
