import { expect, test } from '@jest/globals';
import { sessionName } from '../../../../src/engines/postgres/session-name.ts';

const uid = '12345678-90ab-cdef';

test('a session is named for its run', () => {
  expect(sessionName('restore', { namespace: 'shop', name: 'monday', uid })).toBe(
    'holdfast restore shop/monday 12345678',
  );
});

test('a long name is cut before the uid, to what PostgreSQL keeps', () => {
  const name = sessionName('cleanup', { namespace: 'n'.repeat(63), name: 'x'.repeat(253), uid });
  expect(name).toHaveLength(63);
  expect(name).toMatch(/ 12345678$/);
});

test('without a run it says what is done', () => {
  expect(sessionName('backup', undefined)).toBe('holdfast backup');
});
