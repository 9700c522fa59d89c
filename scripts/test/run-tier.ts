import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatDuration } from '../../src/lib/duration.ts';
import { cacheRoot } from '../../test/cluster/cache-root.ts';
import type { JestResults, TierRun } from './summary.ts';
import type { Tier } from './tiers.ts';

const root = join(import.meta.dirname, '..', '..');

/** A program that says nothing for this long is asked about by people. */
const SILENCE_SECONDS = 30;

/** From SIGTERM to SIGKILL. */
const GRACE_SECONDS = 15;

/** Runs jest for one tier. Never throws: whatever happens is in the answer. */
export async function runTier(tier: Tier, jestArguments: readonly string[], signal: AbortSignal): Promise<TierRun> {
  const start = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  const outputFile = join(folder, 'results.json');
  try {
    const limit = AbortSignal.timeout(tier.limitMinutes * 60_000);
    const ended = await jest(tier, [...jestArguments, `--outputFile=${outputFile}`], AbortSignal.any([signal, limit]));
    const results = readResults(outputFile);
    return {
      tier: tier.name,
      seconds: (performance.now() - start) / 1000,
      ended,
      ...(results === undefined ? {} : { results }),
      ...(limit.aborted ? { problem: `still running after ${tier.limitMinutes} minutes: ended` } : {}),
      ...(signal.aborted ? { problem: 'interrupted' } : {}),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readResults(file: string): JestResults | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Patterns of paths go first: jest's list options take every word that follows them. */
function jestArgv(tier: Tier, jestArguments: readonly string[]): string[] {
  return [
    fileURLToPath(import.meta.resolve('jest/bin/jest')),
    ...jestArguments,
    `--selectProjects=${tier.name}`,
    ...(tier.workers === 1 ? ['--runInBand'] : [`--maxWorkers=${tier.workers}`]),
    `--testTimeout=${tier.testSeconds * 1000}`,
    '--json',
    // Nothing found is for us to judge, with the tier's name.
    '--passWithNoTests',
    '--reporters=default',
    ...(tier.tellsTests ? [`--reporters=${join(root, 'scripts', 'test', 'reporter.ts')}`] : []),
  ];
}

/** Ends with jest's exit code or the name of the signal that killed it. */
function jest(tier: Tier, jestArguments: readonly string[], signal: AbortSignal): Promise<number | string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, jestArgv(tier, jestArguments), {
      cwd: root,
      env: {
        ...process.env,
        NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
        // For the hundreds of runners and operators that tests start: as in the image, each starts sooner.
        NODE_COMPILE_CACHE: join(cacheRoot(), 'compiled'),
        // API servers, kubectl and helm end soon: they need not tidy up their memory so often.
        GOGC: '400',
      },
      // With --outputFile there is no JSON on stdout; jest and its reporters speak on both.
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const heard = heartbeat(tier.name);
    child.stdout.on('data', (chunk: Buffer) => {
      heard.now();
      process.stdout.write(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      heard.now();
      process.stderr.write(chunk);
    });
    const stop = () => {
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), GRACE_SECONDS * 1000).unref();
    };
    signal.addEventListener('abort', stop, { once: true });
    // One that came while tools were made is told to nobody any more.
    if (signal.aborted) stop();
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, killer) => {
      signal.removeEventListener('abort', stop);
      heard.stop();
      resolve(code ?? killer ?? 'no exit code');
    });
  });
}

/** Says that a silent tier still runs. */
function heartbeat(name: string): { now(): void; stop(): void } {
  const start = performance.now();
  let last = start;
  const timer = setInterval(() => {
    if (performance.now() - last < SILENCE_SECONDS * 1000) return;
    console.log(`… ${name}: still running after ${formatDuration(performance.now() - start)}`);
    last = performance.now();
  }, 1000);
  return {
    now() {
      last = performance.now();
    },
    stop: () => clearInterval(timer),
  };
}
