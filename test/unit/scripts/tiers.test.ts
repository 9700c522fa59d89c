import { expect, test } from '@jest/globals';
import packageJson from '../../../package.json' with { type: 'json' };
import { groupsOf, parseRequest, TIERS } from '../../../scripts/test/tiers.ts';

const names = (words: string[]) => parseRequest(words).tiers.map(({ name }) => name);

test('without a name all tiers run, the fast ones first', () => {
  expect(names([])).toEqual(['unit', 'scenario', 'contract', 'release', 'e2e']);
});

test('one that waits most of the time runs beside the one that it names, or in its own place where that is not asked for', () => {
  const groups = (words: string[]) => groupsOf(parseRequest(words).tiers).map((group) => group.map(({ name }) => name));
  expect(groups([])).toEqual([['unit'], ['scenario'], ['contract', 'release'], ['e2e']]);
  expect(groups(['release', 'e2e'])).toEqual([['release'], ['e2e']]);
});

test('tiers run in their order, however they were named', () => {
  expect(names(['e2e', 'unit'])).toEqual(['unit', 'e2e']);
});

test('options and parts of paths are for jest, and so is all that follows them', () => {
  expect(parseRequest(['unit', 'unit/scripts', 'e2e']).jestArguments).toEqual(['unit/scripts', 'e2e']);
  expect(parseRequest(['-t', 'a name']).jestArguments).toEqual(['-t', 'a name']);
  expect(names(['unit', '-t', 'a name'])).toEqual(['unit']);
});

test('a misspelt tier is refused with the names that there are', () => {
  expect(() => parseRequest(['unti'])).toThrow('no tier unti: there are unit, scenario, contract, release, e2e');
});

test('each tier is a project of jest and can be run alone', () => {
  const projects = packageJson.jest.projects.map(({ displayName }) => displayName);
  expect(projects).toEqual(TIERS.map(({ name }) => name));
  for (const { name } of TIERS) expect(packageJson.scripts).toHaveProperty([`test:${name}`]);
});
