/**
 * `npm test [-- tiers] [arguments of jest]`: the tiers of tests one after the other, a summary, and last the plain total.
 * Exits with 0 only when every test of every tier ran and passed.
 */

import { clusterStatus, downCluster } from '../test/cluster/cluster.ts';
import { E2E_CLUSTER } from '../test/support/e2e-world.ts';
import { prepare } from './test/prepare.ts';
import { runTier } from './test/run-tier.ts';
import { isGreen, judge, summaryLines, type TierResult } from './test/summary.ts';
import { groupsOf, parseRequest, type Request, type Tier, USAGE } from './test/tiers.ts';

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interruption.abort());

if (process.argv.includes('--help')) {
  console.log(USAGE);
  process.exit();
}

/** Tools first, one after the other; then all of them at once. A tier whose tools cannot be had is a failure with the reason, and others still run. */
async function resultsOf(group: readonly Tier[], jestArguments: readonly string[]): Promise<readonly TierResult[]> {
  console.log(`\n== ${group.map(({ name }) => name).join(', ')}`);
  const problems: (string | undefined)[] = [];
  for (const tier of group) {
    const failed = (error: unknown) => `cannot be run: ${error instanceof Error ? error.message : String(error)}`;
    problems.push(interruption.signal.aborted ? 'interrupted' : await prepare(tier.name).then(() => undefined, failed));
  }
  return await Promise.all(
    group.map(async (tier, place) => {
      const problem = problems[place] ?? (interruption.signal.aborted ? 'interrupted' : undefined);
      if (problem !== undefined) return judge({ tier: tier.name, seconds: 0, ended: 'nothing', problem });
      return judge(await runTier(tier, jestArguments, interruption.signal));
    }),
  );
}

/** A cluster that stays is a failure with the reason. */
async function takenDown(): Promise<readonly TierResult[]> {
  try {
    if ((await clusterStatus({ number: E2E_CLUSTER })).state !== 'absent') await downCluster({ number: E2E_CLUSTER });
    return [];
  } catch (error) {
    const problem = `not taken down: ${error instanceof Error ? error.message : String(error)}`;
    return [judge({ tier: 'cluster', seconds: 0, ended: 'nothing', problem })];
  }
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
// The first tier that runs in the cluster makes it, and it goes after the last, unless it was up before.
let goes: boolean | undefined;
try {
  for (const group of groupsOf(tiers)) {
    if (interruption.signal.aborted) break;
    if (group.some(({ inCluster }) => inCluster === true)) {
      goes ??= (await clusterStatus({ number: E2E_CLUSTER })).state !== 'ready';
    }
    results.push(...(await resultsOf(group, jestArguments)));
  }
} finally {
  if (goes === true) results.push(...(await takenDown()));
}
console.log(`\n== summary\n${summaryLines(results).join('\n')}`);
process.exitCode = isGreen(results) && !interruption.signal.aborted ? 0 : 1;
