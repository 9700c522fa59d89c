/** The pages that lead a newcomer through the project. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '..', '..', '..');
const pages = [
  ...['README.md', 'test/README.md', 'test/cluster/README.md'],
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'));

/** Targets of links to places of our own, without their fragment. */
function linksOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target.replace(/#.*$/, ''))
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target));
}

test.each(pages)('every link of %s leads somewhere', (page) => {
  const dead = linksOf(page).filter((target) => !existsSync(join(root, dirname(page), target)));
  expect(dead).toEqual([]);
});

test('the pages do have links', () => {
  expect(linksOf('README.md').length).toBeGreaterThan(5);
  expect(linksOf('docs/architecture.md').length).toBeGreaterThan(10);
});

test('every page is linked from another one', () => {
  const linked = new Set(pages.flatMap((page) => linksOf(page).map((target) => join(dirname(page), target))));
  expect(pages.filter((page) => page !== 'README.md' && !linked.has(page))).toEqual([]);
});

test('every decision has a number of its own, the one in its title, and is in the list of them', () => {
  const list = 'docs/decisions/README.md';
  const decisions = pages.filter((page) => page.startsWith('docs/decisions/') && page !== list);
  const numbers = decisions.map((page) => basename(page).slice(0, 3));
  expect(new Set(numbers).size).toBe(decisions.length);
  const titles = decisions.map((page) => readFileSync(join(root, page), 'utf8').slice(0, '# 001: '.length));
  expect(titles).toEqual(numbers.map((number) => `# ${number}: `));
  expect(linksOf(list).toSorted()).toEqual(decisions.map((page) => basename(page)).toSorted());
});
