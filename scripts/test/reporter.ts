import { formatDuration } from '../../src/lib/duration.ts';

/** How long one test may go on before we say which it is. */
const PATIENCE_SECONDS = 30;

/** The part that we read of what jest says of a test. */
interface TestCase {
  readonly fullName: string;
  readonly status: string;
  /** Milliseconds. */
  readonly duration?: number | null;
}

/** Its tier, since two of them may speak at the same time. */
interface TestFile {
  readonly context: { readonly config: { readonly displayName?: { readonly name: string } } };
}

/** Says each test as it ends, and which one it is that takes so long. Jest's own reporter waits for the end of the file. */
export default class TellingReporter {
  #timer: NodeJS.Timeout | undefined;

  onTestCaseStart(_file: unknown, test: { readonly fullName: string }): void {
    const start = performance.now();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      console.log(`  … ${test.fullName} (${formatDuration(performance.now() - start)} so far)`);
    }, PATIENCE_SECONDS * 1000);
    this.#timer.unref();
  }

  onTestCaseResult({ context }: TestFile, result: TestCase): void {
    clearInterval(this.#timer);
    const mark = result.status === 'passed' ? '✓' : result.status === 'failed' ? '✗' : '-';
    console.log(
      `  ${mark} ${context.config.displayName?.name ?? ''}: ${result.fullName} (${((result.duration ?? 0) / 1000).toFixed(1)} s)`,
    );
  }

  onRunComplete(): void {
    clearInterval(this.#timer);
  }
}
