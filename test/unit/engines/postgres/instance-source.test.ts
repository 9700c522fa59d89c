import { expect, test } from '@jest/globals';
import { previousDatabaseName, scratchDatabaseName } from '../../../../src/api/names.ts';
import { reasonToSkip } from '../../../../src/engines/postgres/instance-source.ts';
import { writeNotes } from '../../../../src/engines/postgres/marker.ts';

const uid = '0e02e22e-1111-4222-8333-444444444444';
const found = (name: string, more = {}) => ({
  name,
  allowsConnections: true,
  isTemplate: false,
  oid: '16384',
  isInvalid: false,
  mayConnect: true,
  comment: null,
  ...more,
});
const comment = (notes: Partial<Parameters<typeof writeNotes>[0]>) => writeNotes({ restores: [], ...notes }) ?? null;

test('what a restore left beside the live databases is not backed up with them', () => {
  const scratch = comment({ scratchOf: uid });
  expect(reasonToSkip(found(scratchDatabaseName({ uid }), { comment: scratch }))).toBe('Scratch');
  expect(reasonToSkip(found(`${scratchDatabaseName({ uid })}_7`, { comment: scratch }))).toBe('Scratch');
  const previous = { comment: comment({ previousOf: uid }), allowsConnections: false };
  expect(reasonToSkip(found(previousDatabaseName('shop', { uid }), previous))).toBe('Previous');
});

test('a previous database that a person renamed back, or a scratch one that was kept, is backed up though it bears the mark', () => {
  expect(reasonToSkip(found('shop', { comment: comment({ previousOf: uid }) }))).toBeUndefined();
  expect(reasonToSkip(found('shop', { comment: comment({ scratchOf: uid }) }))).toBeUndefined();
});

test('a database in which a DROP DATABASE was cut off does not keep the others from being backed up', () => {
  expect(reasonToSkip(found('half', { isInvalid: true }))).toBe('Invalid');
});
