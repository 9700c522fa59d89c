import { describe, expect, test } from '@jest/globals';
import { refusalReport, refusedText, unready } from '../../../src/main/watched-namespaces.ts';
import { aRestore } from '../../support/builders.ts';

const sight = (refused: readonly string[], synced = true) => ({ refused: () => refused, synced: () => synced });
const BOTH = { namespaces: ['shop', 'billing'] };

describe('an operator of some namespaces', () => {
  test('is not ready before every list is in or refused', () => {
    expect(unready(sight([], false), BOTH)).toBe('the first lists are not in yet');
    expect(unready(sight(['shop'], false), BOTH)).toBe('the first lists are not in yet');
  });

  test('is ready as long as one of them lets it in, and says which do not', () => {
    expect(unready(sight([]), BOTH)).toBeUndefined();
    expect(refusedText(sight([]))).toBeUndefined();
    expect(unready(sight(['shop']), BOTH)).toBeUndefined();
    expect(refusedText(sight(['shop']))).toBe('the API server does not let us look at shop');
  });

  test('is not ready when none of them does', () => {
    expect(unready(sight(['shop', 'billing']), BOTH)).toBe('the API server does not let us look at shop, billing');
  });
});

describe('an operator of all namespaces', () => {
  test('is ready once its lists are in', () => {
    expect(unready(sight([]), { namespaces: [] })).toBeUndefined();
  });
});

describe('the word on a namespace that is refused', () => {
  const refusal = { namespace: 'shop', reason: 'backups is forbidden', lost: [] };

  test('tells the reason and where to look', () => {
    expect(refusalReport(refusal)).toEqual({
      namespace: 'shop',
      reason: 'backups is forbidden',
      hint: expect.stringContaining('kubectl get namespace shop'),
    });
  });

  test('names the Restores that would hold up its end, with the command that frees them', () => {
    const restore = aRestore();
    const held = { ...restore, metadata: { ...restore.metadata, name: 'back', finalizers: ['holdfast.dev/restore'] } };
    const over = { ...restore, metadata: { ...restore.metadata, name: 'over', finalizers: ['of.somebody/else'] } };
    expect(refusalReport({ ...refusal, lost: [held, over] })).toMatchObject({
      restores: ['back'],
      hint: expect.stringMatching(/If it hangs in Terminating: kubectl -n shop patch restore back --type=merge /),
    });
  });
});
