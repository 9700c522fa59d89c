/** What the pages tell people to type is what the plugin understands. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { newProgram } from '../../../src/cli/program.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const PAGES = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);

const program = newProgram({} as never, '0.0.0', () => undefined);

/** The commands of the plugin in the page's blocks of code, continued lines joined, comments left out. */
function commandsOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const blocks = [...text.matchAll(/^ *```(?:sh|console)\n(.*?)^ *```$/gms)].map(([, block = '']) => block);
  return blocks
    .flatMap((block) => block.replaceAll(/ *\\\n */g, ' ').split('\n'))
    .map((line) => line.replace(/ +#.*$/, '').trim())
    .flatMap((line) => /^(?:\$ )?(?:npx )?kubectl[ -]holdfast (.*)$/.exec(line)?.[1] ?? []);
}

/** What the plugin would not know of it; empty where it is well. */
function unknownIn(words: readonly string[]): string[] {
  const chain: Command[] = [program];
  const flags: string[] = [];
  for (const word of words) {
    const sub = chain.at(-1)?.commands.find((command) => command.name() === word);
    if (word.startsWith('-')) flags.push(word.replace(/=.*$/, ''));
    else if (sub !== undefined) chain.push(sub);
  }
  const known = ['--help', ...chain.flatMap(({ options }) => options.flatMap(({ short, long }) => [short, long]))];
  const strange = flags.filter((flag) => !known.includes(flag));
  const isCommand = chain.length > 1 || strange.length + flags.length > 0;
  return isCommand ? strange : [...words];
}

const COMMANDS = PAGES.flatMap((page) => commandsOf(page).map((command) => [page, command] as const));

test.each(COMMANDS)('%s: kubectl holdfast %s', (_, command) => {
  expect(unknownIn(command.split(/\s+/))).toEqual([]);
});

test('commands were found, and an unknown one would be', () => {
  expect(COMMANDS.length).toBeGreaterThan(8);
  expect(unknownIn(['restore', 'x', '--nonsense'])).toEqual(['--nonsense']);
  expect(unknownIn(['nonsense', 'x'])).toEqual(['nonsense', 'x']);
});
