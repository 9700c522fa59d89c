/** Ends what an earlier, interrupted run of the demo left under way. */
import type { Kubectl } from '../kubectl.ts';
import { Problem } from '../problem.ts';
import { during, tell } from '../say.ts';
import { isOver, type Run } from '../settled.ts';

const RESOURCES = ['restore', 'backup'] as const;

/** A Restore that is not over gives the app its replicas back before it goes; so this waits for that. */
export async function endLeftovers(kubectl: Kubectl): Promise<void> {
  for (const resource of RESOURCES) {
    const unfinished = (await kubectl.list<Run>(resource))
      .filter((run) => !isOver(run))
      .map((run) => run.metadata.name);
    if (unfinished.length === 0) continue;
    tell(`An earlier run of the demo was interrupted: ${resource} ${unfinished.join(', ')} is not over.`);
    await during(`deleting ${unfinished.join(', ')}`, () => remove(kubectl, resource, unfinished));
  }
}

async function remove(kubectl: Kubectl, resource: string, names: readonly string[]): Promise<void> {
  await kubectl.call(['delete', resource, ...names, '--timeout=120s']).catch((cause: unknown) => {
    throw new Problem(
      `${resource} ${names.join(', ')} of an earlier run does not go away within two minutes.`,
      'npm run demo -- --down removes everything; npm run demo begins anew.',
      { cause },
    );
  });
}
