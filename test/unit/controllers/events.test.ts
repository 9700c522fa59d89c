import { describe, expect, test } from '@jest/globals';
import type { Condition } from '../../../src/api/conditions.ts';
import { transitions } from '../../../src/controllers/events.ts';

const condition = (type: string, status: Condition['status'], reason: string): Condition => ({
  type,
  status,
  reason,
  message: `${reason}.`,
  lastTransitionTime: '2026-11-24T08:00:00Z',
  observedGeneration: 1,
});

const status = (...conditions: Condition[]) => ({ conditions });
const said = (events: ReturnType<typeof transitions>) => events.map(({ type, reason }) => `${type} ${reason}`);

describe('events of a change of status', () => {
  test('are one for each new reason, however many conditions have it', () => {
    const after = status(condition('Complete', 'False', 'Running'), condition('Reconciling', 'True', 'Running'));
    expect(transitions(undefined, after, [])).toEqual([{ type: 'Normal', reason: 'Running', note: 'Running.' }]);
  });

  test('are none where no reason changed, whatever else did', () => {
    const before = status(condition('Ready', 'True', 'Usable'));
    const after = status({ ...condition('Ready', 'True', 'Usable'), message: 'other', observedGeneration: 2 });
    expect(transitions(before, after, [])).toEqual([]);
  });

  test.each([
    ['Failed', 'True', 'Warning'],
    ['Failed', 'False', 'Normal'],
    ['Stalled', 'True', 'Warning'],
    ['Ready', 'False', 'Warning'],
    ['ScaleContested', 'True', 'Warning'],
    ['Ready', 'True', 'Normal'],
    ['Complete', 'True', 'Normal'],
  ] as const)('%s %s is a %s', (type, value, expected) => {
    expect(said(transitions(undefined, status(condition(type, value, 'X')), []))).toEqual([`${expected} X`]);
  });

  test('warn of a restore that was live before: it is Complete, and did nothing', () => {
    const after = status(condition('Complete', 'True', 'AlreadyRestored'));
    expect(said(transitions(undefined, after, []))).toEqual(['Warning AlreadyRestored']);
  });

  test('warn of what the status calls a failure, and where any condition of a reason is bad', () => {
    const waits = { ...status(condition('Reconciling', 'True', 'NoKey')), failure: { reason: 'NoKey', message: 'm' } };
    expect(said(transitions(undefined, waits, []))).toEqual(['Warning NoKey']);
    const mixed = status(
      condition('Complete', 'False', 'X'),
      condition('Failed', 'True', 'X'),
      condition('Verified', 'False', 'X'),
    );
    expect(said(transitions(undefined, mixed, []))).toEqual(['Warning X']);
  });

  test('leave out a reason that is told in its own words', () => {
    const after = status(condition('Complete', 'True', 'AlreadyRestored'));
    const told = [{ type: 'Warning', reason: 'AlreadyRestored', note: 'in its own words' }] as const;
    expect(transitions(undefined, after, told)).toEqual([]);
  });
});
