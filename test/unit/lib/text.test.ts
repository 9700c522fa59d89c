import { expect, test } from '@jest/globals';
import { cut } from '../../../src/lib/text.ts';

test('text that is too long is cut at a character, with a mark', () => {
  expect([cut('überlang', 4), cut('🦔🦔🦔', 2), cut('kurz', 4), cut('kurz', 0)]).toEqual(['übe…', '🦔…', 'kurz', '…']);
});
