import { createRequire } from 'node:module';
import type * as sequencing from '@jest/test-sequencer';
import { isAlone } from '../../test/support/e2e-alone.ts';

// As the CommonJS that its types describe: imported, `default` is something else.
const { default: JestSequencer } = createRequire(import.meta.url)('@jest/test-sequencer') as typeof sequencing.default;

type Tests = Parameters<sequencing.default['sort']>[0];

/**
 * Longest first, as jest has it, so that no worker has a long file left when the other is done; and in the end those that must be alone. Each of
 * them waits until all others are done: among the others, it would keep a worker idle every time.
 */
export default class LastAloneSequencer extends JestSequencer {
  override sort(tests: Tests): Tests {
    const inOrder = super.sort(tests) as Tests;
    return inOrder.toSorted((a, b) => Number(isAlone(a.path)) - Number(isAlone(b.path)));
  }
}
