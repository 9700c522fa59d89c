import { describe, expect, test } from '@jest/globals';
import { isGreen, type JestResults, judge, summaryLines, type TierRun } from '../../../scripts/test/summary.ts';

function results(over: Partial<JestResults> = {}): JestResults {
  return {
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    numRuntimeErrorTestSuites: 0,
    ...over,
  };
}

function aRun(over: Partial<TierRun> = {}): TierRun {
  return { tier: 'unit', seconds: 1.25, ended: 0, results: results(), ...over };
}

function aRunWithoutResults(ended: number | string): TierRun {
  return { tier: 'unit', seconds: 1, ended };
}

describe('a tier', () => {
  test('whose tests all passed is green', () => {
    const result = judge(aRun());
    expect(result).toMatchObject({ passed: 3, failed: 0, skipped: 0, problems: [] });
    expect(isGreen([result])).toBe(true);
  });

  test.each<[string, TierRun, string]>([
    ['ran no test', aRun({ results: results({ numPassedTests: 0 }) }), 'no test ran'],
    ['skipped a test', aRun({ results: results({ numPendingTests: 1 }) }), '1 skipped'],
    ['has a test that is yet to be written', aRun({ results: results({ numTodoTests: 1 }) }), '1 skipped'],
    ['crashed', aRunWithoutResults('SIGKILL'), 'jest ended with SIGKILL and left no results'],
    ['could not start', aRunWithoutResults(127), 'jest ended with 127 and left no results'],
    ['was interrupted', aRun({ results: results({ wasInterrupted: true }) }), 'interrupted'],
    ['passed, but jest did not', aRun({ ended: 1 }), 'although no test failed'],
    ['passed its limit', aRun({ problem: 'still running after 5 minutes: ended' }), 'still running'],
    ['lacks a tool', { ...aRunWithoutResults('nothing'), problem: 'cannot be run: no Go' }, 'no Go'],
  ])('that %s is a failure with the reason', (_what, run, reason) => {
    const result = judge(run);
    expect(result.problems).toEqual([expect.stringContaining(reason)]);
    expect(result.failed).toBe(1);
    expect(isGreen([result])).toBe(false);
  });

  test('counts a file that could not be loaded as a failure', () => {
    const result = judge(aRun({ ended: 1, results: results({ numRuntimeErrorTestSuites: 2 }) }));
    expect(result).toMatchObject({ passed: 3, failed: 2, problems: [] });
    expect(isGreen([result])).toBe(false);
  });

  test('counts each failed test once', () => {
    expect(judge(aRun({ ended: 1, results: results({ numFailedTests: 2 }) }))).toMatchObject({
      failed: 2,
      problems: [],
    });
  });
});

describe('the summary', () => {
  test('names each tier with its counts and time, then the reason, and ends with the plain total', () => {
    const lines = summaryLines([
      judge(aRun()),
      judge(aRun({ tier: 'contract', seconds: 61.04, ended: 1, results: results({ numFailedTests: 1 }) })),
      judge(aRun({ tier: 'e2e', results: results({ numPassedTests: 1, numPendingTests: 1 }) })),
    ]);
    expect(lines).toEqual([
      'unit      3 passed, 0 failed, 0 skipped  in 1.3 s',
      'contract  3 passed, 1 failed, 0 skipped  in 61.0 s',
      'e2e       1 passed, 1 failed, 1 skipped  in 1.3 s',
      '          1 skipped: a test that is not run proves nothing',
      '7 passed, 2 failed, 1 skipped',
    ]);
  });

  test('of nothing at all is not green', () => {
    expect(isGreen([])).toBe(false);
    expect(summaryLines([])).toEqual(['0 passed, 0 failed, 0 skipped']);
  });
});
