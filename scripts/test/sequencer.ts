import { createRequire } from 'node:module';
import type * as sequencing from '@jest/test-sequencer';
import { isAlone } from '../../test/support/e2e-alone.ts';

// As the CommonJS that its types describe: imported, `default` is something else.
const { default: JestSequencer } = createRequire(import.meta.url)('@jest/test-sequencer') as typeof sequencing.default;

/** Files of a minute or more, the longest first. Where they never ran nothing else tells: jest goes by their size. */
const LONG = [
  ...['contract/postgres-random-schemas', 'contract/runner', 'contract/postgres-selection'],
  ...['contract/postgres-random-parts', 'contract/runner-instance', 'contract/postgres-undo'],
  ...['contract/runner-gone', 'contract/postgres-majors', 'contract/postgres-random-selections'],
  ...['contract/postgres-random-skips', 'contract/postgres-swap', 'contract/postgres-majors-instance'],
  ...['scenario/restore-faults', 'scenario/leader', 'scenario/cli', 'scenario/restore-scaling'],
  ...['scenario/watch-namespaces', 'scenario/watch', 'scenario/reconcile', 'scenario/watch-memory'],
  ...['e2e/waits-and-heals', 'e2e/restore-ways', 'e2e/fence', 'e2e/examples', 'e2e/drill', 'e2e/store-identity'],
  ...['e2e/plugin', 'e2e/instance', 'e2e/no-secret-anywhere'],
];

/** Before all others what is long; after all others what must be alone. */
function rank(path: string): number {
  if (isAlone(path)) return LONG.length + 1;
  const place = LONG.findIndex((name) => path.endsWith(`/test/${name}.test.ts`));
  return place === -1 ? LONG.length : place;
}

type Tests = Parameters<sequencing.default['sort']>[0];

/**
 * Longest first, so that no worker has a long file left when the others are done; and in the end those that must be alone. Each of
 * them waits until all others are done: among the others, it would keep a worker idle every time.
 */
export default class LastAloneSequencer extends JestSequencer {
  override sort(tests: Tests): Tests {
    const inOrder = super.sort(tests) as Tests;
    return inOrder.toSorted((a, b) => rank(a.path) - rank(b.path));
  }
}
