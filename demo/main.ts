/** `npm run demo`: the main job on a real cluster, told step by step. */
import { formatDuration } from '../src/lib/duration.ts';
import { type Demo, freshName } from './context.ts';
import { Kubectl } from './kubectl.ts';
import { NAMESPACE } from './objects.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { Problem } from './problem.ts';
import { block, bold, line, problem, tell } from './say.ts';
import { backUp, makeStore } from './steps/backup.ts';
import { standUp } from './steps/cluster.ts';
import { destroy } from './steps/disaster.ts';
import { takeDown } from './steps/down.ts';
import { farewell } from './steps/farewell.ts';
import { makeKey } from './steps/key.ts';
import { endLeftovers } from './steps/leftovers.ts';
import { installOperator } from './steps/operator.ts';
import { makeNamespace, startParts } from './steps/parts.ts';
import { appIsBack, compare, restore } from './steps/restore.ts';

async function main(options: Options): Promise<void> {
  if (options.help) return line(USAGE);
  if (options.down) return takeDown(options);

  const started = performance.now();
  line(bold('Holdfast: back up a database, lose it, and bring it back, app and all.'));
  const cluster = await standUp(options);
  await installOperator(cluster);

  const kubectl = new Kubectl(cluster.kubectl, cluster.kubeconfig, NAMESPACE);
  await makeNamespace(kubectl);
  await endLeftovers(kubectl);
  const demo: Demo = { cluster, kubectl, name: freshName(new Date()) };

  await startParts(kubectl, cluster.images);
  await makeKey(kubectl);
  await makeStore(demo);
  const before = await backUp(demo);
  const lost = await destroy(demo);
  await restore(demo);
  await compare(demo, before, lost);
  await appIsBack(demo);
  farewell(demo, options, formatDuration(performance.now() - started));
}

/** Everything that goes wrong ends in a sentence and a next step. */
function explain(error: unknown): void {
  const { message, next, facts } = error instanceof Problem ? error : unforeseen(error);
  const [first = '', ...rest] = message.trim().split('\n');
  problem(first);
  block([...rest, facts ?? ''].join('\n'));
  tell(`Next: ${next}`);
  if (process.env['DEBUG'] !== undefined) line(String(error instanceof Error ? error.stack : error));
}

/** With what led to it: the program that failed speaks in the innermost one. */
function unforeseen(error: unknown): Pick<Problem, 'message' | 'next' | 'facts'> {
  const messages: string[] = [];
  for (let at = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    messages.push(at instanceof Error ? at.message : String(at));
  }
  return {
    message: messages.join('\n'),
    next: 'run the demo again; it goes on from whatever is there. If that does not help: npm run demo -- --down.',
    facts: undefined,
  };
}

try {
  await main(parseOptions(process.argv.slice(2)));
} catch (error) {
  explain(error);
  process.exitCode = 1;
}
