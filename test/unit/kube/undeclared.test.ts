import { expect, test } from '@jest/globals';
import { KubeError } from '../../../src/kube/errors.ts';
import { withoutUndeclared } from '../../../src/kube/undeclared.ts';

const STATUS = { phase: 'Complete', origin: 'Manual', dataTime: '2026-11-24T12:00:00Z', conditions: [] };
const refused = (message: string) => new KubeError('PATCH', { status: 500, message });

test('what a kind of before does not have is left out of a status', () => {
  const said =
    'failed to create typed patch object (shop/n; holdfast.dev/v1alpha1, Kind=Backup): errors:\n  .status.origin: field not declared in schema\n  .status.dataTime: field not declared in schema';
  expect(withoutUndeclared(STATUS, refused(said))).toEqual({ phase: 'Complete', conditions: [] });
});

test('a field within one goes with it', () => {
  const said = 'typed patch object: .status.conditions[type="Complete"].note: field not declared in schema';
  expect(withoutUndeclared(STATUS, refused(said))).toEqual({
    phase: 'Complete',
    origin: 'Manual',
    dataTime: STATUS.dataTime,
  });
});

test('another refusal stays one', () => {
  expect(withoutUndeclared(STATUS, refused('etcdserver: request timed out'))).toBeUndefined();
  expect(withoutUndeclared(STATUS, new Error('.status.origin: field not declared in schema'))).toBeUndefined();
});
