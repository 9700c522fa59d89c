import { describe, expect, test } from '@jest/globals';
import { explain } from '../../../src/cli/explain.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { HoldfastError } from '../../../src/lib/errors.ts';

const answered = (status: number, message: string, reason?: string) =>
  new KubeError('GET /apis/holdfast.dev/v1alpha1/namespaces/shop/backups', {
    status,
    message,
    ...(reason === undefined ? {} : { reason }),
  });

describe('every answer has a cause and a next step, and no request line', () => {
  test.each([
    [answered(0, 'connect ECONNREFUSED 127.0.0.1:1'), /does not answer: connect ECONNREFUSED/],
    [answered(401, 'Unauthorized'), /does not know you/],
    [answered(403, 'backups is forbidden: User "x" cannot list'), /You may not do this: backups is forbidden/],
    [answered(404, 'the server could not find the requested resource'), /does not have the kinds of Holdfast/],
    [answered(404, 'backups.holdfast.dev "x" not found'), /Backups.holdfast.dev "x" not found/],
    [answered(409, 'backups.holdfast.dev "x" already exists', 'AlreadyExists'), /already exists/],
  ])('%s', (error, message) => {
    const said = explain(error);
    expect(said.message).toMatch(message);
    expect(said.message).not.toContain('GET /apis');
    expect(said.hint).toBeTruthy();
  });
});

test('an error of ours keeps its own hint', () => {
  expect(explain(new HoldfastError('X', 'it broke', { hint: 'mend it' }))).toEqual({
    message: 'it broke',
    hint: 'mend it',
  });
});

test('a fault of ours is said to be one', () => {
  expect(explain(new TypeError('x is undefined')).message).toBe('Unexpected: x is undefined');
});
