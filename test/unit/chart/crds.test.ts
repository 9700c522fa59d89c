import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { customResourceDefinition, KINDS } from '../../../src/api/crd.ts';

const root = join(import.meta.dirname, '..', '..', '..');

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** Name → content, of a folder. */
function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(join(root, folder)).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(root, folder, name), 'utf8')]));
}

test('the chart brings the very CRDs of crds/', () => {
  expect(filesOf('helm/holdfast/crds')).toEqual(filesOf('crds'));
});

test('it brings every kind of ours, as its schema is now (or: npm run generate)', () => {
  const inChart = Object.values(filesOf('helm/holdfast/crds')).map((text) => JSON.stringify(parse(text)));
  const fromSchemas = KINDS.map((kind) => ({
    kind: kind.kind,
    text: JSON.stringify(customResourceDefinition(kind, version)),
  }));
  expect(fromSchemas.filter(({ text }) => !inChart.includes(text)).map(({ kind }) => kind)).toEqual([]);
  expect(inChart).toHaveLength(KINDS.length);
});

test("its image is that of the sources' version, by default", () => {
  const chart = parse(readFileSync(join(root, 'helm/holdfast/Chart.yaml'), 'utf8')) as { appVersion: string };
  expect(chart.appVersion).toBe(version);
});
