/** The pages of docs/spec name reasons that people search for: each must be one that the code gives. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '..', '..', '..');
const pages = readdirSync(join(root, 'docs', 'spec'));

const code = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
  .join('\n');

/** The kubelet's and the scheduler's own words, which are passed on. */
const KUBERNETES = new Set(['Unschedulable', 'ErrImagePull']);

/** Words of two parts or more in the status chapters: `StoreNotReady`, not `True` or `spec.host`. */
function reasonsOf(page: string): string[] {
  const text = readFileSync(join(root, 'docs', 'spec', page), 'utf8');
  const chapter = text.split('## Status')[1]?.split('## Fields')[0] ?? '';
  const words = [...chapter.matchAll(/`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`/g)].map(([, word]) => word!);
  return [...new Set(words)].filter((word) => !KUBERNETES.has(word));
}

test.each(pages)('%s names reasons that exist', (page) => {
  const unknown = reasonsOf(page).filter((word) => !code.includes(`'${word}'`));
  expect(unknown).toEqual([]);
});

test('there are reasons to look for', () => {
  expect(pages.flatMap(reasonsOf).length).toBeGreaterThan(20);
});
