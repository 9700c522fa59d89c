import { expect, test } from '@jest/globals';
import { said, unsaid } from '../../../src/controllers/waiting.ts';

test.each([
  ['the key is gone', 'Make it.', 'the key is gone. Next: Make it.'],
  ['The key is gone.', 'Make it.', 'The key is gone. Next: Make it.'],
  ['which of them?', 'Say so.', 'which of them? Next: Say so.'],
])('a condition says "%s" and the next step as two sentences', (message, hint, text) => {
  expect(said({ reason: 'Gone', message, hint })).toEqual({ reason: 'Gone', message: text });
});

test('without a next step it says the message alone', () => {
  expect(said({ reason: 'Gone', message: 'the key is gone' }).message).toBe('the key is gone');
});

test('what one condition says another object can say on, next step and all', () => {
  const failure = { reason: 'BucketNotFound', message: 'There is no bucket.', hint: 'Make it.' };
  expect(unsaid(said(failure))).toEqual(failure);
  expect(unsaid({ reason: 'Probing', message: 'a Job is at it' })).toEqual({
    reason: 'Probing',
    message: 'a Job is at it',
  });
});
