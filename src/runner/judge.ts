/** What a plan can tell from the manifest and the task alone, whatever the key and the target say. Pure. */
import type { Comparison } from '../api/comparison.ts';
import type { PlanTask } from '../api/task.ts';
import type { Manifest } from '../archive/manifest.ts';
import { formatBytes } from '../lib/bytes.ts';
import type { Failure } from '../lib/errors.ts';
import { type Judgement, judgeApplication, judgeEngine } from '../policy/compatibility.ts';

export interface Verdict {
  readonly refusals: readonly Failure[];
  readonly compatibility: readonly Comparison[];
  readonly notes: readonly string[];
}

type Asked = Pick<PlanTask, 'application' | 'nodes'>;

export function judgeApp({ application = {}, nodes }: Asked, manifest: Pick<Manifest, 'application'>): Verdict {
  const { version: running, longTermReleases } = application;
  const judged = judgeApplication({ archived: manifest.application?.version, running, longTermReleases });
  const { archive, target } = judged.comparison;
  const elsewhere = nodesProblem(manifest, nodes ?? []);
  return {
    refusals: [...refusalOf(judged), ...(elsewhere === undefined ? [] : [elsewhere])],
    // A person who never spoke of the app's version does not want to read of it.
    compatibility: archive === undefined && target === undefined ? [] : [judged.comparison],
    notes: judged.note === undefined ? [] : [judged.note],
  };
}

function refusalOf({ refusal }: Judgement): readonly Failure[] {
  return refusal === undefined ? [] : [refusal];
}

/** `server`: the version of the target's. The refusal is the engine's own to tell, by the same rule. */
export function compareEngine({ engine, server: archive }: Manifest, server: string): Comparison {
  return judgeEngine(engine, archive, { version: server, major: Number.parseInt(server, 10) }).comparison;
}

/** What an app sealed to one machine no other can open; where it runs is known only while it does. */
function nodesProblem({ application }: Pick<Manifest, 'application'>, now: readonly string[]): Failure | undefined {
  if (application?.requireSameNodes !== true) return undefined;
  const { nodes: then = [] } = application;
  const strange = now.filter((node) => !then.includes(node));
  const why =
    then.length === 0
      ? 'the archive does not say on which, since no pod of the app ran when it was made'
      : now.length === 0
        ? `it ran on ${list(then)}, and no pod of spec.scaleDown.workloads runs now`
        : strange.length === 0
          ? undefined
          : `it ran on ${list(then)}, and now it runs on ${list(strange)}`;
  if (why === undefined) return undefined;
  return {
    reason: 'Nodes',
    message: `the backup asks for the app to run on the same nodes (requireSameNodes): ${why}`,
    hint: 'run the app on those nodes and name its workloads in spec.scaleDown; or, if what it sealed to the machine is not needed, force: [Nodes]',
  };
}

/** Enough to know which; of a large cluster nobody reads them all. */
const NODES_SHOWN = 8;

function list(nodes: readonly string[]): string {
  const more = nodes.length - NODES_SHOWN;
  return `${nodes.slice(0, NODES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

export function judgeSize({ maxBytes }: Pick<PlanTask, 'maxBytes'>, bytesNeeded: number): readonly Failure[] {
  if (maxBytes === undefined || bytesNeeded <= maxBytes) return [];
  return [
    {
      reason: 'TooLarge',
      message: `the restored database needs about ${formatBytes(bytesNeeded)} (${bytesNeeded} bytes, as the uncompressed dump), and target.postgresql.maxBytes allows ${formatBytes(maxBytes)} (${maxBytes})`,
      hint: 'look whether the server has the room beside the live database, then make a Restore with a larger maxBytes',
    },
  ];
}
