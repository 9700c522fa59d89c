/**
 * `npm test [-- tiers] [arguments of jest]`: the tiers of tests one after the other, a summary, and last the plain total.
 * Exits with 0 only when every test of every tier ran and passed.
 */

import { prepare } from './test/prepare.ts';
import { runTier } from './test/run-tier.ts';
import { isGreen, judge, summaryLines, type TierResult } from './test/summary.ts';
import { parseRequest, type Request, type Tier, USAGE } from './test/tiers.ts';

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interruption.abort());

if (process.argv.includes('--help')) {
  console.log(USAGE);
  process.exit();
}

/** A tier whose tools cannot be had is a failure with the reason, and the next tier still runs. */
async function result(tier: Tier, jestArguments: readonly string[]): Promise<TierResult> {
  const start = performance.now();
  console.log(`\n== ${tier.name}`);
  try {
    await prepare(tier.name);
  } catch (error) {
    const problem = `cannot be run: ${error instanceof Error ? error.message : String(error)}`;
    return judge({ tier: tier.name, seconds: (performance.now() - start) / 1000, ended: 'nothing', problem });
  }
  return judge(await runTier(tier, jestArguments, interruption.signal));
}

function requested(): Request {
  try {
    return parseRequest(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}

const { tiers, jestArguments } = requested();
const results: TierResult[] = [];
for (const tier of tiers) {
  if (interruption.signal.aborted) break;
  results.push(await result(tier, jestArguments));
}
console.log(`\n== summary\n${summaryLines(results).join('\n')}`);
process.exitCode = isGreen(results) && !interruption.signal.aborted ? 0 : 1;
