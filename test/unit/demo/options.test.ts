import { describe, expect, test } from '@jest/globals';
import { parseOptions } from '../../../demo/options.ts';
import { Problem } from '../../../demo/problem.ts';

const none = { loaded: false, own: false, down: false, help: false };

describe('the command line of the demo', () => {
  test.each([
    [[], none],
    [['--down'], { ...none, down: true }],
    [['--down', '--kubeconfig', 'k'], { ...none, kubeconfig: 'k', down: true }],
    [['--kubeconfig', 'k', '--loaded'], { ...none, kubeconfig: 'k', loaded: true }],
    [['--kubeconfig', 'k', '--registry', 'r/team/'], { ...none, kubeconfig: 'k', registry: 'r/team' }],
    [['-h'], { ...none, help: true }],
  ])('%j is understood', (argv, options) => {
    expect(parseOptions(argv)).toEqual(options);
  });

  test.each([
    ['an option that does not exist', ['--up'], /--up/],
    ['a word too many', ['down'], /down/],
    ['a registry for a cluster that the demo makes', ['--registry', 'r'], /go with --kubeconfig/],
    ['images loaded into a cluster that is not there yet', ['--loaded'], /go with --kubeconfig/],
  ])('%s is refused with a next step', (_what, argv, message) => {
    const attempt = () => parseOptions(argv);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(Problem);
    expect(problemOf(attempt).next).toMatch(/npm run demo/);
  });
});

function problemOf(attempt: () => unknown): Problem {
  try {
    attempt();
  } catch (error) {
    return error as Problem;
  }
  throw new Error('nothing was thrown');
}
