/** The demo's command line. */
import { parseArgs } from 'node:util';
import { Problem } from './problem.ts';

export interface Options {
  /** A cluster of the person's own. Absent: one is made. */
  readonly kubeconfig?: string;
  /** Where images are pushed to for that cluster. */
  readonly registry?: string;
  /** That cluster's nodes have the images already. */
  readonly loaded: boolean;
  /** A cluster built here even where Docker answers. */
  readonly own: boolean;
  readonly down: boolean;
  readonly help: boolean;
}

export const USAGE = `Backs up a database in a real cluster, destroys it, and brings it back.

  npm run demo                          on a cluster that it makes: kind where Docker answers, else one of its own
  npm run demo -- --own                 on one of its own even where Docker answers
  npm run demo -- --down                removes all of it, the cluster included

On a cluster of yours:

  npm run demo -- --kubeconfig FILE                     builds the images, and tells how to load them into your nodes
  npm run demo -- --kubeconfig FILE --loaded            once they are loaded
  npm run demo -- --kubeconfig FILE --registry PREFIX   pushes them to PREFIX/holdfast-… instead
  npm run demo -- --kubeconfig FILE --down              removes what the demo made there`;

export function parseOptions(argv: readonly string[]): Options {
  const { kubeconfig, registry, loaded, own, down, help } = parsed(argv);
  if (kubeconfig === undefined && (registry !== undefined || loaded)) {
    throw new Problem(
      '--registry and --loaded go with --kubeconfig: a cluster that the demo makes gets its images by itself.',
      'npm run demo -- --help',
    );
  }
  return {
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(registry === undefined ? {} : { registry: registry.replace(/\/+$/, '') }),
    loaded,
    own,
    down,
    help,
  };
}

function parsed(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        kubeconfig: { type: 'string' },
        registry: { type: 'string' },
        loaded: { type: 'boolean', default: false },
        own: { type: 'boolean', default: false },
        down: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values;
  } catch (error) {
    throw new Problem(error instanceof Error ? error.message : String(error), 'npm run demo -- --help');
  }
}
