/** What a tier's run means, and how it is told. Pure. */

/** The part that we read of what `jest --json` writes. */
export interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  /** Files that threw before their tests could run: their tests are in no other count. */
  readonly numRuntimeErrorTestSuites: number;
  readonly wasInterrupted?: boolean;
}

export interface TierRun {
  readonly tier: string;
  readonly seconds: number;
  /** How jest ended: an exit code, or the name of the signal that killed it. */
  readonly ended: number | string;
  /** Absent where jest wrote none: it crashed, or never started. */
  readonly results?: JestResults;
  /** What went wrong outside of jest: a tool that could not be had, a limit that was passed. */
  readonly problem?: string;
}

export interface TierResult {
  readonly tier: string;
  readonly seconds: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Why the tier is not green, beyond tests that failed. Each is counted as one failure. */
  readonly problems: readonly string[];
}

export function judge(run: TierRun): TierResult {
  const results = run.results;
  const passed = results?.numPassedTests ?? 0;
  const failed = (results?.numFailedTests ?? 0) + (results?.numRuntimeErrorTestSuites ?? 0);
  const skipped = (results?.numPendingTests ?? 0) + (results?.numTodoTests ?? 0);
  const problems = problemsOf(run, { passed, failed, skipped });
  return { tier: run.tier, seconds: run.seconds, passed, failed: failed + problems.length, skipped, problems };
}

/** A run that is green for the wrong reason is the failure that nobody looks for. The first reason explains the others. */
function problemsOf(run: TierRun, counts: { passed: number; failed: number; skipped: number }): string[] {
  if (run.problem !== undefined) return [run.problem];
  if (run.results === undefined) return [`jest ended with ${run.ended} and left no results`];
  if (run.results.wasInterrupted === true) return ['jest was interrupted'];
  if (counts.passed + counts.failed + counts.skipped === 0) return ['no test ran'];
  if (counts.skipped > 0) return [`${counts.skipped} skipped: a test that is not run proves nothing`];
  if (run.ended !== 0 && counts.failed === 0) return [`jest ended with ${run.ended} although no test failed`];
  return [];
}

export function isGreen(results: readonly TierResult[]): boolean {
  return results.length > 0 && results.every(({ failed, skipped }) => failed === 0 && skipped === 0);
}

/** A line for each tier, and last the plain total. */
export function summaryLines(results: readonly TierResult[]): string[] {
  const width = Math.max(0, ...results.map(({ tier }) => tier.length));
  const tiers = results.flatMap((result) => [
    `${result.tier.padEnd(width)}  ${counts(result)}  in ${result.seconds.toFixed(1)} s`,
    ...result.problems.map((problem) => `${' '.repeat(width)}  ${problem}`),
  ]);
  return [...tiers, counts(total(results))];
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

function counts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function total(results: readonly TierResult[]): Counts {
  return results.reduce<Counts>(
    (sum, { passed, failed, skipped }) => ({
      passed: sum.passed + passed,
      failed: sum.failed + failed,
      skipped: sum.skipped + skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  );
}
