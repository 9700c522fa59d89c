import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { renderText } from '../../unit/chart/render.ts';

const FILE = join(import.meta.dirname, 'default.yaml');

/** UPDATE_GOLDEN=1 writes the file anew; the diff is then for a person to read. */
test('the chart renders to what was reviewed', async () => {
  const text = await renderText({ clusterName: 'golden' });
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(FILE, text);
  expect(text).toBe(readFileSync(FILE, 'utf8'));
});
