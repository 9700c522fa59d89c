import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { suggest } from '../../../src/cli/complete.ts';
import { Output } from '../../../src/cli/output.ts';
import { newProgram } from '../../../src/cli/program.ts';
import { NOON } from '../../support/builders.ts';

const program = newProgram(
  {
    output: new Output(new PassThrough(), new PassThrough(), {}),
    env: {},
    stdin: process.stdin,
    now: () => NOON,
    signal: new AbortController().signal,
  },
  '0',
  () => undefined,
);

describe('what could come next', () => {
  test('after the name: every command, but for the one that shells use', () => {
    const found = suggest(program, ['']);
    expect(found).toEqual({
      words: [
        'key',
        'backup',
        'restore',
        'undo',
        'drill',
        'list',
        'status',
        'inspect',
        'schedule',
        'doctor',
        'validate',
        'completion',
      ],
    });
  });

  test.each<[string[], object]>([
    [['key', ''], { words: ['create', 'list', 'export'] }],
    [['restore', ''], { names: 'backup' }],
    [['-n', 'shop', 'restore', ''], { names: 'backup' }],
    [['restore', '--yes', ''], { names: 'backup' }],
    [['restore', 'nightly', ''], { words: [] }],
    [['undo', ''], { names: 'undoable' }],
    [['backup', '--from', ''], { names: 'schedule' }],
    [['backup', '--like', ''], { names: 'backup' }],
    [['schedule', 'next', ''], { names: 'schedule' }],
    [['key', 'export', ''], { names: 'key' }],
    [['list', '-o', ''], { words: ['json', 'yaml', 'wide'] }],
    [['restore', 'x', '--on-conflict', ''], { words: ['Fail', 'Skip', 'Replace'] }],
    [['validate', '-f', ''], { files: true }],
    [['restore', '--latest', ''], { names: 'schedule' }],
    [['completion', ''], { words: ['bash', 'zsh', 'fish'] }],
  ])('after %j', (words, expected) => {
    expect(suggest(program, words)).toEqual(expected);
  });

  test('after a dash: the options of the command and those of all commands', () => {
    const found = suggest(program, ['list', '-']) as { words: string[] };
    expect(found.words).toEqual(
      expect.arrayContaining(['--schedule', '--all-namespaces', '--output', '--namespace', '--context']),
    );
    expect(found.words).not.toContain('--yes');
  });
});
