import { expect, test } from '@jest/globals';
import { isOver, type Run, stateOf } from '../../../demo/settled.ts';
import type { Condition } from '../../../src/api/conditions.ts';

const condition = (type: string, status: Condition['status']): Condition => ({
  type,
  status,
  reason: 'Because',
  message: 'a sentence',
  lastTransitionTime: '2026-11-23T02:00:00Z',
  observedGeneration: 1,
});

const run = (status: NonNullable<Run['status']>): Run => ({ metadata: { name: 'demo-1', uid: 'u' }, status });

test('a run is over once Complete or Failed is True, and not before', () => {
  expect(isOver({ metadata: { name: 'demo-1', uid: 'u' } })).toBe(false);
  expect(isOver(run({ conditions: [condition('Reconciling', 'True'), condition('Complete', 'False')] }))).toBe(false);
  expect(isOver(run({ conditions: [condition('Complete', 'True')] }))).toBe(true);
  expect(isOver(run({ conditions: [condition('Failed', 'True')] }))).toBe(true);
});

test('a waiting run tells what it waits for', () => {
  expect(stateOf({ metadata: { name: 'demo-1', uid: 'u' } })).toBe('not seen by the operator yet');
  expect(stateOf(run({ phase: 'Loading' }))).toBe('Loading');
  const failure = { reason: 'NoKey', message: 'there is no BackupKey' };
  expect(stateOf(run({ phase: 'Pending', failure }))).toBe('Pending: NoKey: there is no BackupKey');
});
